// Real programs under test: started, listened to line by line, and ended by their own handle.
import { spawn } from "node:child_process";
import dgram from "node:dgram";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, within } from "./wait.mjs";

/** A temporary folder that the cleanup removes. */
export function folder(cleanup) {
  const path = mkdtempSync(join(tmpdir(), "cordboard-e2e-"));
  cleanup.add(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** How long children of a program may outlive it, in ms. */
const LEFT = 1_000;

export class Program {
  /** @param {{ env?: object, cwd?: string, typed?: boolean }} options `typed`: it is told what to do by `type` */
  constructor(file, args, { env, cwd, typed = false } = {}) {
    this.name = file.split("/").pop();
    this.out = "";
    this.err = "";
    this.over = undefined;
    // A group of its own, so that its children can be ended with it.
    const stdio = [typed ? "pipe" : "ignore", "pipe", "pipe"];
    this.child = spawn(file, args, { env: { ...process.env, ...env }, cwd, stdio, detached: true });
    // It may end before it has read everything.
    this.child.stdin?.on("error", () => undefined);
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.out += text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.err += text));
    this.ended = new Promise((resolve) => {
      const end = (over) => {
        this.over = over;
        resolve(over);
      };
      this.child.on("error", (error) => end({ code: -1, error }));
      this.child.on("close", (code, signal) => end({ code, signal, out: this.out, err: this.err }));
      this.child.on("exit", () => {
        // Children that it left hold its output open.
        const left = setTimeout(() => this.#kill("SIGKILL"), LEFT);
        this.ended.then(() => clearTimeout(left));
      });
    });
  }

  /** Waits until a line of output matches, and returns the match. */
  says(pattern, timeout = 10_000) {
    const what = `${this.name} says ${pattern}`;
    return until(
      what,
      () => {
        return pattern.exec(this.out) ?? pattern.exec(this.err) ?? this.over;
      },
      timeout,
    )
      .then((found) => {
        if (found === this.over) throw new Error(`it ended instead: ${what}`);
        return found;
      })
      .catch((error) => {
        throw new Error(`${error.message}\n${this.output()}`);
      });
  }

  /** Waits for its end: { code, signal, out, err }. */
  end(timeout = 15_000) {
    return within(`${this.name} ends`, this.ended, timeout).catch((error) => {
      throw new Error(`${error.message}\n${this.output()}`);
    });
  }

  /** Types a line. */
  type(line) {
    this.child.stdin.write(`${line}\n`);
  }

  signal(name) {
    if (!this.over) this.child.kill(name);
  }

  /** Sends a signal to it and to its children. */
  #kill(name) {
    try {
      process.kill(-this.child.pid, name);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }

  /** Ends it and its children at once, as nothing can be caught. */
  kill() {
    this.#kill("SIGKILL");
    return this.ended;
  }

  /** Ends it, by force when it does not go. */
  async stop(signal = "SIGTERM", patience = 5_000) {
    this.signal(signal);
    await within(`${this.name} stops`, this.ended, patience).catch(() => this.#kill("SIGKILL"));
    return this.ended;
  }

  output() {
    return `--- ${this.name}: ${JSON.stringify(this.over?.code ?? "running")}\n${this.out}${this.err}`;
  }
}

const given = new Set();

/** A port of this address that is free for UDP and TCP, and not given out twice. */
export async function freePort(ip = "127.0.0.1") {
  for (;;) {
    const server = net.createServer();
    await new Promise((resolve, reject) => server.once("error", reject).listen(0, ip, resolve));
    const { port } = server.address();
    const socket = dgram.createSocket("udp4");
    const free = await new Promise((resolve) => {
      socket.once("error", () => resolve(false));
      socket.bind(port, ip, () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    await new Promise((resolve) => socket.close(resolve));
    if (free && !given.has(port)) {
      given.add(port);
      return port;
    }
  }
}

/** Somebody holds this socket: read from the kernel's tables, so that nothing is sent to it. */
export function isBound(transport, ip, port) {
  const octets = ip
    .split(".")
    .reverse()
    .map((part) => Number(part).toString(16).padStart(2, "0"));
  const local = `${octets.join("")}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
  const lines = readFileSync(`/proc/net/${transport}`, "latin1").split("\n").slice(1);
  return lines.some((line) => {
    const [, address, , state] = line.trim().split(/\s+/);
    return address === local && (transport === "udp" || state === "0A");
  });
}
