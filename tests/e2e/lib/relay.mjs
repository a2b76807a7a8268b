// A wire that a test can cut: passes TCP connections on to a port.
import net from "node:net";

export async function cutWire(port) {
  const pairs = new Set();
  let open = true;
  const server = net.createServer((near) => {
    if (!open) return near.destroy();
    const far = net.connect(port, "127.0.0.1");
    const pair = [near, far];
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near]]) {
      from.setNoDelay(true);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    /** Cuts what is connected, and refuses what comes until `mend()`. */
    cut() {
      open = false;
      for (const pair of pairs) for (const socket of pair) socket.destroy();
    },
    mend() {
      open = true;
    },
    async close() {
      this.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
