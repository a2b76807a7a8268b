import { Icon } from "../../ui/icons";
import { useSoftphone } from "../context";

/** The microphone could not be opened: what to do about it. */
export function MicrophoneTrouble() {
  const trouble = useSoftphone().voice.trouble.value;
  if (!trouble) return null;
  return (
    <div class="notice error" role="alert" id="trouble">
      <p>{trouble.sentence}</p>
      <button type="button" class="small primary" onClick={trouble.retry}>
        Try again
      </button>
      <button type="button" class="small" id="listen-only" onClick={trouble.goOn}>
        <Icon name="listen" size={16} /> Listen only
      </button>
      <button type="button" class="small" onClick={trouble.giveUp}>
        Cancel
      </button>
    </div>
  );
}
