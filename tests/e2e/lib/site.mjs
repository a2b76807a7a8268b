// The test's own little web site: the client page with unmodified JsSIP and SIP.js out of npm.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../page");
let bundle;

function clientBundle() {
  bundle ??= esbuild
    .build({
      entryPoints: [join(folder, "client.js")],
      bundle: true,
      write: false,
      format: "iife",
      logLevel: "error",
      define: { global: "window" },
    })
    .then(({ outputFiles }) => outputFiles[0].contents);
  return bundle;
}

/** Serves the client page; `url` is where. */
export async function serveSite() {
  await clientBundle();
  const server = createServer(async ({ url }, response) => {
    try {
      const [type, body] =
        url === "/"
          ? ["text/html", await readFile(join(folder, "index.html"))]
          : url === "/client.js"
            ? ["text/javascript", await clientBundle()]
            : url === "/capture.js"
              ? ["text/javascript", await readFile(join(folder, "capture.js"))]
              : ["", undefined];
      response.writeHead(body ? 200 : 404, { "content-type": type || "text/plain" });
      response.end(body ?? "not here");
    } catch (error) {
      response.writeHead(500);
      response.end(String(error));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
