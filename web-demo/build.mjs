// Builds the pages: `node build.mjs [--out DIR] [--watch] [--tests]`.
//   (nothing)   the pages into dist/ or DIR, each file also compressed, for the gateway to embed
//   --watch     builds anew on each change and serves the pages on http://127.0.0.1:5173; what else they ask for is
//               asked of the gateway at --gateway http://127.0.0.1:8080
//   --tests     the unit tests into dist/tests/, for node --test
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const flag = (name) => process.argv.includes(name);
const value = (name) => (flag(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);

/** Each HTML file, and the script and style sheet that it names. */
const PAGES = {
  index: { main: "src/softphone/main.tsx", style: "src/softphone/softphone.css" },
  agent: { agent: "src/agent/main.tsx" },
  wallboard: { wallboard: "src/wallboard/main.tsx" },
  // For addresses that have no page. It is served at any depth, so its links begin with "./", which the gateway replaces.
  missing: {},
};
/** Bytes that a page may weigh, gzip, with the SIP library that it loads. */
const MOST = 150_000;
/** Named by the HTML files as they stand here. */
const ICONS = ["icon.svg", "icon-ringing.svg", "icon-talking.svg"];

const page = {
  absWorkingDir: here,
  // A page's style sheet is what its script imports, where it is not an entry of its own.
  entryPoints: Object.assign({}, ...Object.values(PAGES)),
  bundle: true,
  format: "esm",
  splitting: true, // what pages share, and each SIP library, is a file of its own, loaded when it is needed
  target: ["es2021", "chrome100", "firefox100", "safari15.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { global: "globalThis", "process.env.DEBUG": "undefined" },
  legalComments: "none",
  logLevel: "warning",
};

if (flag("--tests")) await buildTests();
else if (flag("--watch")) await watch();
else await buildPages(path.resolve(value("--out") ?? path.join(here, "dist")));

async function buildPages(out) {
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, "assets"), { recursive: true });
  const { metafile } = await esbuild.build({
    ...page,
    outdir: path.join(out, "assets"),
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    minify: true,
    metafile: true,
  });
  // The names carry a hash of the content, so a browser may keep these files for ever.
  const names = new Map();
  for (const icon of ICONS) {
    const content = await readFile(path.join(here, "src", icon));
    const name = `assets/${icon.replace(".svg", "")}-${createHash("sha256").update(content).digest("hex").slice(0, 8)}.svg`;
    await writeFile(path.join(out, name), content);
    names.set(icon, name);
  }
  const shared = new Map();
  for (const [file, { entryPoint, cssBundle, imports }] of Object.entries(metafile.outputs)) {
    if (!entryPoint) continue;
    const entry = Object.entries(page.entryPoints).find(([, source]) => source === entryPoint);
    if (!entry) continue; // a chunk that is loaded on demand
    const ending = path.extname(file);
    names.set(`${entry[0]}${ending}`, `assets/${path.basename(file)}`);
    if (cssBundle) names.set(`${entry[0]}.css`, `assets/${path.basename(cssBundle)}`);
    shared.set(
      `${entry[0]}.js`,
      imports.filter(({ kind }) => kind === "import-statement").map(({ path: file }) => `assets/${path.basename(file)}`),
    );
  }
  for (const name of Object.keys(PAGES)) {
    let html = await readFile(path.join(here, `${name}.html`), "utf8");
    for (const [, script] of html.matchAll(/src="([^"]+\.js)"/g)) {
      // What a script imports is asked for beside it, not after it.
      const links = (shared.get(script) ?? []).map((file) => `<link rel="modulepreload" href="${file}">\n    `);
      html = html.replace(`<script type="module" src="${script}"`, `${links.join("")}<script type="module" src="${script}"`);
    }
    html = html.replace(/="(\.\/)?([\w-]+\.(?:js|css|svg))"/g, (all, beside = "", file) =>
      names.has(file) ? `="${beside}${names.get(file)}"` : all,
    );
    await writeFile(path.join(out, `${name}.html`), html);
  }

  const weights = new Map();
  const assets = (await readdir(path.join(out, "assets"))).map((name) => `assets/${name}`);
  for (const file of [...assets, ...Object.keys(PAGES).map((name) => `${name}.html`)]) {
    const content = await readFile(path.join(out, file));
    const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    const gzip = gzipSync(content, { level: 9 });
    await writeFile(path.join(out, `${file}.br`), brotli);
    await writeFile(path.join(out, `${file}.gz`), gzip);
    weights.set(file, gzip.length);
    console.log(`${file}  ${content.length} bytes, ${gzip.length} gzip, ${brotli.length} brotli`);
  }
  // JsSIP is the library that a page loads when it is not told otherwise.
  const jssip = assets.filter((file) => file.startsWith("assets/jssip-"));
  for (const name of Object.keys(PAGES)) {
    const html = await readFile(path.join(out, `${name}.html`), "utf8");
    const parts = new Set([`${name}.html`, ...jssip, ...assets.filter((file) => html.includes(`"${file}"`))]);
    const total = [...parts].reduce((sum, file) => sum + weights.get(file), 0);
    console.log(`${name}.html with all that it loads  ${total} gzip`);
    if (total > MOST) throw new Error(`${name}.html weighs ${total} bytes, more than ${MOST}`);
  }
}

async function watch() {
  const out = path.join(here, "dist");
  const gateway = new URL(value("--gateway") ?? "http://127.0.0.1:8080");
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const copied = [
    ...Object.keys(PAGES).map((name) => [`${name}.html`, `${name}.html`]),
    ...ICONS.map((icon) => [`src/${icon}`, icon]),
  ];
  for (const [from, to] of copied) await writeFile(path.join(out, to), await readFile(path.join(here, from)));
  const context = await esbuild.context({ ...page, outdir: out, sourcemap: true, logLevel: "info" });
  await context.watch();
  const files = await context.serve({ servedir: out, host: "127.0.0.1", port: 0 });

  const isOurs = (url) => !/^\/(api\/|ws$|healthz|readyz|metrics)/.test(url);
  const server = http.createServer((request, response) => {
    const ours = isOurs(request.url);
    const to = ours ? { hostname: "127.0.0.1", port: files.port } : gateway;
    const address = ours ? request.url.replace(/^\/(agent|wallboard)(?=$|\?)/, "/$1.html") : request.url;
    const onward = http.request(
      { hostname: to.hostname, port: to.port, path: address, method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.writeHead(502).end());
    request.pipe(onward);
  });
  // WebSockets go through as they are.
  server.on("upgrade", (request, socket, head) => {
    const onward = net.connect(Number(gateway.port), gateway.hostname, () => {
      const lines = [`${request.method} ${request.url} HTTP/1.1`];
      for (let n = 0; n < request.rawHeaders.length; n += 2) lines.push(`${request.rawHeaders[n]}: ${request.rawHeaders[n + 1]}`);
      onward.write(`${lines.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  const port = Number(value("--port") ?? 5173);
  server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}, with the gateway at ${gateway.origin}`));
}

async function buildTests() {
  const out = path.join(here, "dist/tests");
  await rm(out, { recursive: true, force: true });
  const tests = (await readdir(path.join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
  await esbuild.build({
    ...page,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    splitting: false,
    platform: "node",
    target: "node18",
  });
}
