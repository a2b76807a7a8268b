// Alerts of the agent's page, which run by themselves: the bell, the tab's title, notifications, and the click that a browser
// wants before sound.
import { computed, effect } from "@preact/signals";
import { callerName, STATUS } from "../centre/words";
import { ringWhile } from "../voice/bell";
import { whoRings } from "./agent_state";
import { W } from "./words";
import type { AgentWorkspace } from "./workspace";

/** Time between two registrations of a page that waits to be called into its call. */
const REGISTER_MS = 3000;

export function startAlerts(workspace: AgentWorkspace): void {
  const rings = computed(() => workspace.state.rings.value !== undefined);
  ringWhile(() => rings.value, { start: () => workspace.ring(), stop: () => workspace.audio.ringer.stop() });
  effect(() => notifyOfCall(workspace));
  effect(() => showMood(workspace));
  registerWhileAway(workspace);
  watchForSilence(workspace);
}

function notifyOfCall({ state, alert }: AgentWorkspace): void {
  const now = state.rings.value;
  if (!now) {
    alert.stopNotifying();
    return;
  }
  const queue = now.offer?.call.queue?.name ?? now.invite?.queue;
  const about = state.aboutWhom(now);
  const text = about ? W.asksAbout(about) : queue ? W.offerFor(queue) : "";
  alert.notify(W.windowTitle.ringing(whoRings(now)), text);
}

function showMood({ state, alert }: AgentWorkspace): void {
  const now = state.rings.value;
  const call = state.call.value;
  const heard = state.heard.value?.call;
  const talking = call ? callerName(call.from) : heard && (heard.name || heard.peer);
  const me = state.me.value;
  if (now) alert.showMood("ringing", W.windowTitle.ringing(whoRings(now)));
  else if (talking) alert.showMood("talking", W.windowTitle.talking(talking));
  else alert.showMood("idle", me ? W.windowTitle.idle(STATUS[me.status]) : W.windowTitle.plain);
}

/** A call that waits for this page: the gateway calls whoever registers. */
function registerWhileAway({ shell, state, line }: AgentWorkspace): void {
  const wanted = computed(
    () => shell.stage.value === "signed-in" && state.call.value?.state === "away" && state.heard.value === undefined,
  );
  let registering: ReturnType<typeof setInterval> | undefined;
  effect(() => {
    clearInterval(registering);
    registering = wanted.value ? setInterval(() => line.register(), REGISTER_MS) : undefined;
  });
}

/** After a reload the browser may want a click before the page may ring. */
function watchForSilence(workspace: AgentWorkspace): void {
  const { audio, availability, state } = workspace;
  effect(() => {
    const me = state.me.value;
    if (me === undefined || me.status === "offline") return;
    void audio.allowed().then((allowed) => {
      availability.needsClick.value = !allowed;
    });
  });
  // At the click and not at its beginning: what goes away in between may move what is to be clicked.
  for (const gesture of ["click", "keydown"]) {
    addEventListener(gesture, () => workspace.silenced.peek() && workspace.unlock(), { capture: true, passive: true });
  }
}
