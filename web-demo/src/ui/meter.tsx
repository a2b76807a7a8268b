import { useEffect, useRef } from "preact/hooks";
import { watchLevel } from "../audio/level";
import { usePage } from "./page";

/** A bar as long as the stream is loud. It moves without drawing anything else again. */
export function Meter({ stream, label }: { stream: MediaStream | undefined; label: string }) {
  const { audio } = usePage();
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = bar.current;
    if (!stream || !element || stream.getAudioTracks().length === 0) return;
    const stop = watchLevel(audio.context(), stream, (level) => {
      element.style.clipPath = `inset(0 ${(100 - 100 * level).toFixed(1)}% 0 0)`;
      element.parentElement?.setAttribute("aria-valuenow", String(Math.round(level * 10) * 10));
    });
    return () => {
      stop();
      element.style.clipPath = "";
    };
  }, [stream]);
  return (
    <div class="meter" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={0}>
      <div class="meter-bar" ref={bar} />
    </div>
  );
}
