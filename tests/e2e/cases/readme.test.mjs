// The client examples of README.md, as they stand there but for the port: each calls the echo, and hears it, in both browsers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";
import { KINDS, launch } from "../lib/browser.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const readme = readFileSync(join(here, "../../../README.md"), "utf8");
const EXAMPLES = Object.fromEntries(
  [...readme.matchAll(/```js\n(.*?)```/gs)]
    .map(([, code]) => [/^import .* from '(jssip|sip\.js)';$/m.exec(code)?.[1], code])
    .filter(([library]) => library),
);

/** Keeps the peer connections that the example makes, and when each heard something first. */
const WATCH = `
  window.connections = [];
  const begun = performance.now();
  const Plain = RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(...all) {
      super(...all);
      window.connections.push(this);
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected') window.took ??= performance.now() - begun;
      });
    }
  };
  addEventListener('unhandledrejection', ({ reason }) => { window.failed = String(reason); });
`;

const whole = new Cleanup();
let gateway;
/** Where the examples are served from: a site of its own, which the gateway lets in. */
let site;
let script = "";
before(async () => {
  const html = `<!doctype html><title>Example</title><script>${WATCH}</script><script type="module" src="example.js"></script>`;
  const server = createServer(({ url }, response) => {
    const wanted = url === "/example.js";
    response.writeHead(200, { "content-type": wanted ? "text/javascript" : "text/html" });
    response.end(wanted ? script : html);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  whole.add(() => server.close());
  site = `http://127.0.0.1:${server.address().port}`;
  gateway = await Gateway.start(whole, `origins = "${site}"\n`);
});
after(() => whole.run());

test("the README has an example for each library", () => {
  assert.deepEqual(Object.keys(EXAMPLES).sort(), ["jssip", "sip.js"]);
});

for (const kind of KINDS) {
  describe(kind, () => {
    let browser;
    before(async () => {
      browser = await launch(kind);
    });
    after(() => browser?.close());

    for (const [library, code] of Object.entries(EXAMPLES)) {
      test(`${library}: registers, calls, and hears the echo soon`, async () => {
        const cleanup = new Cleanup();
        try {
          assert.match(code, /127\.0\.0\.1:8080/);
          const contents = code.replaceAll("127.0.0.1:8080", new URL(gateway.ws).host);
          const { outputFiles } = await esbuild.build({
            stdin: { contents, resolveDir: here },
            bundle: true,
            write: false,
            format: "esm",
            logLevel: "error",
            define: { global: "window" },
          });
          script = outputFiles[0].contents;
          const page = await browser.open(site);
          cleanup.add(() => page.close());
          await until("half a second of sound came back", () =>
            page.evaluate(async () => {
              if (window.failed) throw new Error(window.failed);
              for (const connection of window.connections) {
                for (const stat of (await connection.getStats()).values()) {
                  if (stat.type === "inbound-rtp" && stat.packetsReceived >= 25) return true;
                }
              }
              return false;
            }),
          );
          const took = await page.evaluate(() => window.took);
          // Five seconds go by where a STUN server is waited for.
          assert.ok(took < 3_000, `connected after ${took} ms`);
        } finally {
          await cleanup.run();
        }
      });
    }
  });
}
