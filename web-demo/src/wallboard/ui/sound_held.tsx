import { usePage } from "../../ui/page";
import { W } from "../words";

/** The browser wants a click before it lets the supervisor hear. */
export function SoundHeld() {
  const { speaker } = usePage().audio;
  if (!speaker.blocked.value) return null;
  return (
    <div class="notice" role="alert">
      <p>{W.soundHeld}</p>
      <button type="button" class="small primary" onClick={() => speaker.unblock()}>
        {W.playSound}
      </button>
    </div>
  );
}
