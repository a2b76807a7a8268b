import { playbackBlocked, unblock } from "../../audio/speaker";
import { COMMON } from "../../centre/words";
import { useNow } from "../../ui/hooks";
import { Icon } from "../../ui/icons";
import { fault, stream } from "../board";
import { W } from "../words";

export function Banners() {
  return (
    <section class="banners" aria-label={W.messages}>
      <Lost />
      {playbackBlocked.value && (
        <div class="notice" role="alert">
          <p>{W.soundHeld}</p>
          <button type="button" class="small primary" onClick={unblock}>
            {W.playSound}
          </button>
        </div>
      )}
      {fault.value && (
        <div class="notice toast error" role="alert" id="fault">
          <p>{fault.value}</p>
          <button
            type="button"
            class="plain round"
            aria-label={COMMON.dismiss}
            onClick={() => {
              fault.value = "";
            }}
          >
            <Icon name="close" size={18} />
          </button>
        </div>
      )}
    </section>
  );
}

function Lost() {
  const browserNow = useNow(500);
  const events = stream.value;
  if (events?.state.value !== "waiting") return null;
  const left = Math.max(0, Math.ceil(((events.again.value ?? 0) - browserNow) / 1000));
  return (
    <div class="notice error" id="lost">
      <Icon name="nosignal" />
      <p role="alert">{W.streamLost}</p>
      <span class="ticking">{COMMON.reconnectingIn(left)}</span>
      <button type="button" class="small" onClick={events.retry}>
        {COMMON.tryNow}
      </button>
    </div>
  );
}
