// A wire between pages and the gateway that notes when SIP messages pass towards the page. Nothing on it is compressed, and what a
// server sends in a WebSocket is not masked.
import net from "node:net";

export async function tapWire(port) {
  const seen = [];
  const sockets = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    far.on("data", (data) => {
      const at = Date.now();
      const text = data.toString("latin1");
      for (const [, registered, invite, ack] of text.matchAll(
        /SIP\/2\.0 200 [\s\S]*?\r\nCSeq: \d+ (REGISTER)\r|(INVITE) sips?:\S+ SIP\/2\.0\r|(ACK) sips?:\S+ SIP\/2\.0\r/gi,
      )) {
        seen.push({ at, what: registered ?? invite ?? ack });
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    /** When the first `what` ('REGISTER': it was accepted) passed at or after `since`, ms since 1970. */
    first: (what, since) => seen.find((one) => one.what === what && one.at >= since)?.at,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
