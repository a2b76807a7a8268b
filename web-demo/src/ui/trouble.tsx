import type { Trouble as Told } from "../softphone";
import { Icon } from "./icons";

/** The microphone could not be opened: what to do about it. */
export function Trouble({ trouble }: { trouble: Told }) {
  return (
    <div class="notice error" role="alert" id="trouble">
      <p>{trouble.sentence}</p>
      <button type="button" class="small primary" onClick={trouble.retry}>
        Try again
      </button>
      <button type="button" class="small" id="listen-only" onClick={trouble.listenOnly}>
        <Icon name="listen" size={16} /> Listen only
      </button>
      <button type="button" class="small" onClick={trouble.giveUp}>
        Cancel
      </button>
    </div>
  );
}
