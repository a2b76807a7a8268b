// How late the machine was. What is heard on a machine that is late has gaps that are the machine's: such an observation is made again, by the same
// measure. One that fails while the machine was in time fails.
import { spawn } from "node:child_process";
import { test } from "node:test";

/** A machine that let a process wait so long, in ms, makes gaps by itself: packets come every 20 ms. */
export const LATE = 20;
/** How often an observation is made at most. */
export const TIMES = 4;

const TICK = 5;
/** Wants to run every 5 ms, and tells when it could not: [when it should have, how many ms late it was]. */
const PROBE = `
let due = Date.now() + ${TICK};
const tick = () => {
  const late = Date.now() - due;
  if (late >= ${LATE / 2}) process.send([due, late]);
  due = Date.now() + ${TICK};
  setTimeout(tick, ${TICK});
};
process.on('message', () => process.send('here'));
process.on('disconnect', () => process.exit());
tick();
`;

/** Times at which a process of its own, or this one, was late. */
class Lateness {
  #times = [];
  #waiting = [];
  #due = Date.now() + TICK;

  constructor() {
    this.probe = spawn(process.execPath, ["-e", PROBE], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.probe.on("message", (message) => {
      if (message === "here") this.#waiting.shift()?.();
      else this.#times.push(message);
    });
    this.probe.unref();
    this.probe.channel.unref();
    // This process plays and records as well.
    setInterval(() => {
      const late = Date.now() - this.#due;
      if (late >= LATE / 2) this.#times.push([this.#due, late]);
      this.#due = Date.now() + TICK;
    }, TICK).unref();
  }

  /** The most that either was late since then, in ms. */
  async since(time) {
    this.probe.channel?.ref();
    await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.probe.send("?", (error) => error && resolve());
    });
    this.probe.channel?.unref();
    this.#times = this.#times.filter(([due, late]) => due + late >= time - 60_000);
    return Math.max(0, ...this.#times.filter(([due, late]) => due + late >= time).map(([, late]) => late));
  }
}

let lateness;
const MARK = Symbol("of what was heard");

/** Marks the failure of an observation of sound. */
export function ofSound(error) {
  error[MARK] = true;
  return error;
}

/** `act`, whose failures are those of an observation of sound. */
export function heard(act) {
  try {
    const result = act();
    return result instanceof Promise ? result.catch((error) => Promise.reject(ofSound(error))) : result;
  } catch (error) {
    throw ofSound(error);
  }
}

/** Lateness of this machine, watched from the first question on. */
function ofMachine() {
  lateness ??= new Lateness();
  return lateness;
}

/**
 * Runs a case that listens. Where what it heard was wrong and the machine was late meanwhile, it is run again, at most `TIMES` times in all, after
 * `between`. `machine` tells how late it was.
 */
export async function listening(act, between = () => undefined, machine = ofMachine()) {
  for (let time = 1; ; time++) {
    const began = Date.now();
    try {
      return await act();
    } catch (error) {
      const late = error[MARK] ? await machine.since(began) : 0;
      if (!error[MARK]) throw error;
      error.message += `\nThe machine was ${late} ms late at most.`;
      if (late < LATE || time === TIMES) throw error;
      console.log(
        `# the machine was ${late} ms late, what was heard is not counted (${time} of ${TIMES}): ${error.message.split("\n")[0]}`,
      );
      await between();
    }
  }
}

/** `test` of node:test for cases that listen; `between` takes down what a case left, before it is run again. */
export const listeningTest = (between) => (name, act) => test(name, (context) => listening(() => act(context), between));
