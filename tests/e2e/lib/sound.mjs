// A sound card that nobody hears. Firefox runs Web Audio only where there is one; Chromium brings its own.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./wait.mjs";

let users = 0;
let server;

/** A PulseAudio of our own with one null sink, shared by all who ask; ends with the last `close()`. */
export async function soundServer() {
  users++;
  server ??= start();
  const { address, stop } = await server;
  return {
    address,
    close() {
      if (--users > 0) return;
      server = undefined;
      stop();
    },
  };
}

async function start() {
  const folder = mkdtempSync(join(tmpdir(), "cordboard-pulse-"));
  const socket = join(folder, "native");
  const process_ = spawn(
    "pulseaudio",
    [
      "-n",
      "--daemonize=no",
      "--exit-idle-time=-1",
      "--use-pid-file=no",
      "--disable-shm=yes",
      "--realtime=no",
      "--high-priority=no",
      "-L",
      `module-native-protocol-unix socket=${socket} auth-anonymous=1`,
      "-L",
      // Without rewinds it takes sound in pieces of 50 ms rather than of two seconds, as a card does: whoever comes next is heard at once.
      "module-null-sink sink_name=nobody rate=48000 norewinds=1",
    ],
    { env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder, PULSE_RUNTIME_PATH: folder }, stdio: "ignore" },
  );
  let failure;
  process_.on("error", (error) => (failure = error));
  await until("pulseaudio", () => {
    if (failure) throw failure;
    return existsSync(socket);
  });
  const stop = () => {
    process_.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", stop);
  return { address: `unix:${socket}`, stop };
}
