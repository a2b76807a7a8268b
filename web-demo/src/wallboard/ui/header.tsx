import { useEffect, useState } from "preact/hooks";
import { timeOfDay } from "../../centre/format";
import { agents, now } from "../../centre/state";
import { Since } from "../../centre/ui/ticking";
import { COMMON } from "../../centre/words";
import { Icon, Logo } from "../../ui/icons";
import { ThemeButton } from "../../ui/theme";
import { queues, signOut, stream, user } from "../board";
import { counts } from "../crew";
import { W } from "../words";

export function Header() {
  return (
    <header class="bar">
      <div class="brand">
        <Logo />
        <h1>
          {W.product} <span class="quiet">{W.title}</span>
        </h1>
      </div>
      <Overview />
      <time class="wall-clock">{timeOfDay(new Date(now.value).toISOString())}</time>
      <Connection />
      <FullScreen />
      <ThemeButton />
      <div class="account">
        <span class="account-name">{user.value?.display}</span>
        <button type="button" class="plain" id="sign-out" onClick={() => void signOut()}>
          {COMMON.signOut}
        </button>
      </div>
    </header>
  );
}

/** The whole centre in one line. */
function Overview() {
  const waiting = queues.value.reduce((sum, { live }) => sum + live.waiting, 0);
  const oldest = queues.value
    .map(({ live }) => live.oldest_since)
    .filter((since) => since !== null)
    .sort()[0];
  const crew = counts(agents.value.values());
  const figures: [string, preact.ComponentChildren][] = [
    [W.waitingAll, waiting],
    [W.longestAll, oldest ? <Since at={oldest} /> : "\u2013"],
    [W.agentsFree, crew.available],
    [W.agentsBusy, crew.busy],
    [W.agentsIn, crew["signed-in"]],
  ];
  return (
    <dl class="overview" aria-label={W.overview}>
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Connection() {
  const state = stream.value?.state.value;
  const [word, tone] =
    state === "live"
      ? [COMMON.connected, "good"]
      : state === "waiting"
        ? [COMMON.reconnecting, "bad"]
        : [COMMON.connecting, "busy"];
  return (
    <p class={`standing ${tone}`} role="status" id="connection" data-state={word}>
      <span class="dot" aria-hidden="true" />
      <span class="standing-word">{word}</span>
    </p>
  );
}

/** For a screen on a wall: everything larger, nothing but the board, and the screen stays on. */
function FullScreen() {
  const [full, setFull] = useState(document.fullscreenElement !== null);
  useEffect(() => {
    let lock: WakeLockSentinel | undefined;
    const changed = () => {
      const now = document.fullscreenElement !== null;
      setFull(now);
      document.documentElement.classList.toggle("on-wall", now);
      if (now)
        navigator.wakeLock?.request("screen").then(
          (got) => (lock = got),
          () => undefined,
        );
      else void lock?.release();
    };
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);
  if (!document.fullscreenEnabled) return null;
  const label = full ? W.leaveFullScreen : W.fullScreen;
  return (
    <button
      type="button"
      class="plain round"
      id="full-screen"
      aria-label={label}
      title={label}
      onClick={() => void (full ? document.exitFullscreen() : document.documentElement.requestFullscreen())}
    >
      <Icon name={full ? "small" : "full"} />
    </button>
  );
}
