import { useEffect, useState } from "preact/hooks";
import { Since, WallClock } from "../../centre/ui/ticking";
import { Icon } from "../../ui/icons";
import { Bar } from "../../ui/shell/bar";
import { useCentre } from "../../ui/shell/context";
import { counts } from "../agent_list";
import { useWallboard } from "../context";
import type { Direction } from "../direct_calls";
import { W } from "../words";
import { DIRECTION_ICON } from "./direct_calls";

export function Header() {
  const { shell } = useWallboard();
  return (
    <Bar title={W.title} phone={null} tools={<FullScreen />} signOut={() => void shell.signOut()}>
      <Overview />
      <WallClock />
    </Bar>
  );
}

/** The whole centre in one line. */
function Overview() {
  const { queues, directions } = useWallboard();
  const { agents } = useCentre();
  const waiting = queues.value.reduce((sum, { live }) => sum + live.waiting, 0);
  const oldest = queues.value
    .map(({ live }) => live.oldest_since)
    .filter((since) => since !== null)
    .sort()[0];
  const many = counts(agents.value.values());
  const figures: [string, preact.ComponentChildren][] = [
    [W.waitingAll, waiting],
    [W.longestAll, oldest ? <Since at={oldest} /> : "\u2013"],
    [W.agentsFree, many.available],
    [W.agentsBusy, many.busy],
    [W.agentsIn, many["signed-in"]],
  ];
  if (directions.value.length > 0) figures.push([W.directCalls, <Directions key="directions" counts={directions.value} />]);
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

/** Number of direct calls, by direction. */
function Directions({ counts }: { counts: readonly [Direction, number][] }) {
  return (
    <span class="directions">
      {counts.map(([direction, count]) => (
        <span key={direction} title={W.directionOf[direction]}>
          <Icon name={DIRECTION_ICON[direction]} size={16} />
          <span class="unseen">{W.directionOf[direction]} </span>
          {count}
        </span>
      ))}
    </span>
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
