// Runs files of cases side by side: node run.mjs [--cores N] FILE...
//
// Each file is a process of its own, and has a network of its own where the user may make one (unshare), so that no two of them want the
// same port. Files start as long as the processors that they need together are there; without networks they run one after the other.
// Prints the output of each file when it ends; then, for the caller, `seconds<TAB>file<TAB>case` in the file that E2E_TIMES names, and as the
// last line how many cases passed and failed.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { NEEDS, OTHER } from "./needs.mjs";

const here = dirname(fileURLToPath(import.meta.url));
/** Loopback, and a way out that leads nowhere: Firefox shows a page without a microphone no address of loopback. */
const NETWORK =
  "ip link set lo up && ip link add out type veth peer name nowhere && ip link set nowhere up && ip address add 198.51.100.2/24 dev out && " +
  'ip link set out up && ip route add default via 198.51.100.1 && exec "$@"';
const UNSHARE = [
  ["unshare", "-n"],
  ["unshare", "-rn"],
]
  .map((command) => [...command, "bash", "-c", NETWORK, "bash"])
  .find(([program, ...args]) => works(program, [...args, "true"]));

function works(program, args) {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const args = process.argv.slice(2);
const given = args[0] === "--cores" ? Number(args.splice(0, 2)[1]) : cpus().length;
const work = mkdtempSync(join(tmpdir(), "cordboard-cases-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

const nameOf = (file) => basename(file, ".test.mjs");
const needOf = (file) => NEEDS[nameOf(file)] ?? OTHER;
const sum = { passed: 0, failed: 0 };

if (!UNSHARE) console.log("one file after the other: this user may not make network namespaces");
// A browser that starts makes the machine late for those who listen: files that only look have their turn first.
await sideBySide(args.filter((file) => !needOf(file).listens));
await sideBySide(args.filter((file) => needOf(file).listens));
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed > 0 ? 1 : 0;

/** Runs files, as many at a time as there are processors for; the longest first, so that none is left at the end alone. */
async function sideBySide(files) {
  const waiting = [...files].sort((a, b) => needOf(b).seconds - needOf(a).seconds);
  const running = new Set();
  let free = given;
  while (waiting.length > 0 || running.size > 0) {
    const at = waiting.findIndex((file) => running.size === 0 || (UNSHARE && needOf(file).cores <= free));
    if (at < 0) {
      await Promise.race(running);
      continue;
    }
    const [file] = waiting.splice(at, 1);
    const { cores } = needOf(file);
    free -= cores;
    const over = run(file).then(() => {
      free += cores;
      running.delete(over);
    });
    running.add(over);
  }
}

/** Runs a file and counts its cases. */
async function run(file) {
  const times = join(work, nameOf(file));
  const [program, ...before] = [...(UNSHARE ?? []), process.execPath];
  const reporters = [
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${join(here, "lib/times.mjs")}`,
    `--test-reporter-destination=${times}`,
  ];
  const began = Date.now();
  const child = spawn(program, [...before, "--test", ...reporters, file], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const code = await new Promise((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("close", resolve);
  });
  const count = (what) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, "m").exec(output)?.[1] ?? 0);
  const failed = count("fail") + count("cancelled");
  sum.passed += count("pass");
  // A file that did not get as far as its cases has failed.
  sum.failed += failed === 0 && code !== 0 ? 1 : failed;
  console.log(`${output}${nameOf(file)}: ${Math.round((Date.now() - began) / 1000)} s\n`);
  if (process.env.E2E_TIMES) appendFileSync(process.env.E2E_TIMES, readFileSync(times, "utf8"));
}
