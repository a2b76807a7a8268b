// Builds the page: `node build.mjs [--out DIR] [--watch] [--tests]`.
//   (nothing)   the page into dist/ or DIR, each file also compressed, for the gateway to embed
//   --watch     builds anew on each change and serves the page on http://127.0.0.1:5173; the gateway is named by
//               ?ws=ws://127.0.0.1:8080/ws
//   --tests     the unit tests into dist/tests/, for node --test
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const flag = (name) => process.argv.includes(name);
const value = (name) => (flag(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);

const page = {
  absWorkingDir: here,
  entryPoints: { main: "src/main.tsx", style: "src/style.css" },
  bundle: true,
  format: "esm",
  splitting: true, // each SIP library is a file of its own, loaded when it is chosen
  target: ["es2021", "chrome100", "firefox100", "safari15.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { global: "globalThis", "process.env.DEBUG": "undefined" },
  legalComments: "none",
  logLevel: "warning",
};

if (flag("--tests")) await buildTests();
else if (flag("--watch")) await watch();
else await buildPage(path.resolve(value("--out") ?? path.join(here, "dist")));

async function buildPage(out) {
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
  let html = await readFile(path.join(here, "index.html"), "utf8");
  for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (!entryPoint) continue;
    const name = path.basename(file);
    if (entryPoint === "src/main.tsx") html = html.replace("main.js", `assets/${name}`);
    if (entryPoint === "src/style.css") html = html.replace("style.css", `assets/${name}`);
  }
  const icon = await readFile(path.join(here, "src/icon.svg"));
  const iconName = `assets/icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
  await writeFile(path.join(out, iconName), icon);
  await writeFile(path.join(out, "index.html"), html.replace("icon.svg", iconName));

  for (const file of [...(await readdir(path.join(out, "assets"))).map((name) => `assets/${name}`), "index.html"]) {
    const content = await readFile(path.join(out, file));
    const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    await writeFile(path.join(out, `${file}.br`), brotli);
    await writeFile(path.join(out, `${file}.gz`), gzipSync(content, { level: 9 }));
    console.log(`${file}  ${content.length} bytes, ${brotli.length} compressed`);
  }
}

async function watch() {
  const out = path.join(here, "dist");
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  for (const [from, to] of [["index.html", "index.html"], ["src/icon.svg", "icon.svg"]]) {
    await writeFile(path.join(out, to), await readFile(path.join(here, from)));
  }
  const context = await esbuild.context({ ...page, outdir: out, sourcemap: true, logLevel: "info" });
  await context.watch();
  await context.serve({ servedir: out, host: "127.0.0.1", port: 5173 });
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
