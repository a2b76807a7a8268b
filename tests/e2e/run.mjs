// Runs files of cases side by side: node run.mjs [--cores N] FILE...
//
// Each file is a process of its own, and has a network and process ids of its own where the user may make them (unshare), so that no two of
// them want the same port, and nothing that a file started outlives it. Files start as long as the processors that they need together are
// there; without networks they run one after the other. A file that takes far longer than it should is ended, and has failed.
// Prints the output of each file when it ends; then, for the caller, `seconds<TAB>file<TAB>case` in the file that E2E_TIMES names, and as the
// last line how many cases passed and failed. Cases that failed beside others run once more at the end with the machine to themselves, and
// that counts: files side by side take each other's time where the machine is slower than the one that `needs.mjs` was measured on.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { NEEDS, OTHER } from "./needs.mjs";

const here = dirname(fileURLToPath(import.meta.url));
/** Loopback, and a way out that leads nowhere: Firefox shows a page without a microphone no address of loopback. */
const OWN =
  "ip link set lo up && ip link add out type veth peer name nowhere && ip link set nowhere up && ip address add 198.51.100.2/24 dev out && " +
  'ip link set out up && ip route add default via 198.51.100.1 && { "$@"; exit $?; }';
// The shell stays, as the process that takes in those whose parents are gone.
const UNSHARE = [
  ["unshare", "-n"],
  ["unshare", "-rn"],
]
  .map((command) => [...command, "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", OWN, "bash"])
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
/** Times the usual seconds of a file, and two minutes more, that it may take. */
const PATIENCE = 4;
/** More failures than that are no matter of time. */
const FEW = 8;
/** Cases that failed beside others, by file; none for a file that did not get as far as its cases. */
const unsure = new Map();

if (!UNSHARE) console.log("one file after the other: this user may not make network namespaces");
// A browser that starts makes the machine late for those who listen: files that only look have their turn first.
await sideBySide(args.filter((file) => !needOf(file).listens));
await sideBySide(args.filter((file) => needOf(file).listens));
if (sum.failed <= FEW) {
  for (const [file, { cases, failed }] of unsure) {
    console.log(`once more, alone: ${[nameOf(file), ...cases].join(", ")}`);
    const again = await run(file, cases);
    // The names may be those of other cases too, which have been counted.
    const still = again.passed > 0 ? Math.min(failed, again.failed) : failed;
    sum.passed += failed - still;
    sum.failed -= failed - still;
  }
}
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
    const over = run(file).then(({ passed, failed, cases }) => {
      sum.passed += passed;
      sum.failed += failed;
      if (failed > 0 && UNSHARE && args.length > 1) unsure.set(file, { cases, failed });
      free += cores;
      running.delete(over);
    });
    running.add(over);
  }
}

/** Descendants of a process, a line each: what a file that did not end was waiting for. */
function processes(root) {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,etimes=,args=", "ww"], { encoding: "utf8" }).split("\n");
  const found = new Set([root]);
  const said = [];
  for (const line of lines) {
    const [, pid, parent] = /^\s*(\d+)\s+(\d+)/.exec(line) ?? [];
    if (!found.has(Number(parent))) continue;
    found.add(Number(pid));
    said.push(line.slice(0, 200));
  }
  return said.join("\n");
}

/** Runs a file, or only these cases of it: how many passed and failed, and which failed. */
async function run(file, only = []) {
  const times = join(work, only.length > 0 ? `${nameOf(file)}-again` : nameOf(file));
  const patterns = only.map((name) => `--test-name-pattern=^${name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$`);
  const [program, ...before] = [...(UNSHARE ?? []), process.execPath];
  const reporters = [
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${join(here, "lib/times.mjs")}`,
    `--test-reporter-destination=${times}`,
  ];
  const began = Date.now();
  const child = spawn(program, [...before, "--test", "--test-force-exit", ...patterns, ...reporters, file], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const limit = PATIENCE * needOf(file).seconds + 120;
  const late = setTimeout(() => {
    output += `${nameOf(file)} did not end within ${limit} s; still running were\n${processes(child.pid)}\n`;
    process.kill(-child.pid, "SIGKILL");
  }, limit * 1000);
  const code = await new Promise((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("close", (code) => resolve(code ?? -1));
  });
  clearTimeout(late);
  const count = (what) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, "m").exec(output)?.[1] ?? 0);
  const failed = count("fail") + count("cancelled");
  const lines = existsSync(times) ? readFileSync(times, "utf8") : "";
  const names = (lines.match(/[^\t>]+(?=\tfailed$)/gm) ?? []).map((name) => name.trim());
  console.log(`${output}${nameOf(file)}: ${Math.round((Date.now() - began) / 1000)} s\n`);
  if (process.env.E2E_TIMES) appendFileSync(process.env.E2E_TIMES, lines);
  return {
    passed: count("pass"),
    // A file that did not get as far as its cases has failed.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    // By its own name where there are no cases.
    cases: [...new Set(names.filter((name) => resolve(name) !== resolve(file)))],
  };
}
