// How long a person waits: from a browser's INVITE to the first audio packet that it receives.
// node setup_time.mjs '{"ws": "ws://…", "uri": "sip:…", "password": "…", "target": "sip:…", "calls": 6}'
// Chromium with JsSIP, a fake microphone, Opus only; one JSON line for each call: {"ms": …, "packets": …, "codec": …}.
// Modules come from this folder's node_modules, otherwise from the peers' folder (CORDBOARD_PEERS).

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[2]);
const here = dirname(fileURLToPath(import.meta.url));
const wanted = ["puppeteer-core", "jssip", "esbuild"];
const folders = [here, join(process.env.CORDBOARD_PEERS ?? "/nonexistent", "e2e")];
const folder = folders.find((one) => wanted.every((name) => existsSync(join(one, "node_modules", name))));
if (!folder) {
  console.error(`${wanted.join(", ")}: not all in node_modules of any of ${folders.join(", ")}`);
  process.exit(2);
}
const require = createRequire(join(folder, "package.json"));
const puppeteer = (await import(pathToFileURL(require.resolve("puppeteer-core")))).default;
const bundle = require("esbuild").buildSync({
  stdin: { contents: "import JsSIP from 'jssip'; window.JsSIP = JsSIP;", resolveDir: folder },
  bundle: true,
  write: false,
});

// Runs in the page.
async function connect({ ws, uri, password }) {
  window.agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(ws)],
    uri,
    password,
    session_timers: false,
  });
  await new Promise((resolve, reject) => {
    agent.on("registered", resolve);
    agent.on("registrationFailed", (event) => reject(new Error(`not registered: ${event.cause}`)));
    agent.start();
  });
}

// Runs in the page.
async function call({ target }) {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const mediaStream = await navigator.mediaDevices.getUserMedia({ audio });
  const onlyOpus = (sdp) => {
    const type = /a=rtpmap:(\d+) opus\/48000\/2/.exec(sdp)[1];
    const keeps = (line) => !/^a=(rtpmap|fmtp|rtcp-fb):/.test(line) || line.split(/[: ]/)[1] === type;
    return sdp
      .split("\r\n")
      .filter(keeps)
      .join("\r\n")
      .replace(/(m=audio \d+ \S+).*/, `$1 ${type}`);
  };
  const inbound = async (connection) => {
    const found = { packets: 0, codec: "" };
    const statistics = await connection.getStats();
    statistics.forEach((report) => {
      if (report.type === "inbound-rtp" && report.kind === "audio") {
        found.packets = report.packetsReceived;
        found.codec = statistics.get(report.codecId)?.mimeType ?? "";
      }
    });
    return found;
  };
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  try {
    return await new Promise((resolve, reject) => {
      const session = agent.call(target, {
        mediaStream,
        pcConfig: { iceServers: [] },
        eventHandlers: {
          sdp: (event) => {
            if (event.originator === "local") event.sdp = onlyOpus(event.sdp);
          },
          sending: async () => {
            const sent = performance.now();
            while ((await inbound(session.connection)).packets === 0) {
              if (performance.now() - sent > 10_000) {
                reject(new Error("no audio within ten seconds"));
                return session.terminate();
              }
              await pause(2);
            }
            const ms = performance.now() - sent;
            await pause(500);
            const heard = await inbound(session.connection);
            session.on("ended", () => resolve({ ms, ...heard }));
            session.terminate();
          },
          failed: (event) => reject(new Error(`${event.cause} ${event.message?.status_code ?? ""}`)),
        },
      });
    });
  } finally {
    for (const track of mediaStream.getTracks()) track.stop();
  }
}

const page = '<!doctype html><meta charset="utf-8"><title>bench</title><script src="jssip.js"></script>';
const server = createServer((request, response) => {
  const isScript = request.url === "/jssip.js";
  response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
  response.end(isScript ? bundle.outputFiles[0].text : page);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const profile = mkdtempSync(join(tmpdir(), "cordboard-bench-"));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  userDataDir: profile,
  args: [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
  ],
});
try {
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  await tab.evaluate(connect, options);
  for (let n = 0; n < options.calls; n += 1) {
    console.log(JSON.stringify(await tab.evaluate(call, options)));
  }
} catch (error) {
  console.error(error.message.split("\n")[0]);
  process.exitCode = 1;
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
