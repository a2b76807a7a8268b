import { COMMON } from "../../centre/words";
import { Icon } from "../../ui/icons";
import { Banner, Banners as SharedBanners } from "../../ui/shell/banners";
import { useWorkspace } from "../context";
import { W } from "../words";

/** Everything that the agent should read now. */
export function Banners() {
  const { line, state } = useWorkspace();
  return (
    <SharedBanners words={W} streamLost={W.streamLost} retry={() => line.retry()}>
      <PhoneLost />
      <Silenced />
      {/* What is under a modal dialog cannot be pressed: there it stands in the dialog. */}
      {!state.rings.value && <MicrophoneTrouble />}
    </SharedBanners>
  );
}

/** The phone alone is not registered; where the events are lost as well, that is said already. */
function PhoneLost() {
  const { line, shell } = useWorkspace();
  const phone = line.registration.value;
  if (!shell.signedIn || shell.stream.value?.lost.value) return null;
  const text =
    phone?.state === "offline" ? W.phone.offline : phone?.state === "refused" ? W.phone.refused(phone.code) : undefined;
  return text ? <Banner id="phone-lost" text={text} action={COMMON.tryNow} act={() => line.retry()} /> : null;
}

/** The browser wants a click before it lets the page sound. */
function Silenced() {
  const workspace = useWorkspace();
  if (!workspace.silenced.value || !workspace.state.me.value) return null;
  return (
    <div class="notice toast" role="alert" id="needs-click">
      <p>{W.continueText}</p>
      <button type="button" class="small primary" id="continue" onClick={() => workspace.unlock()}>
        {W.continueButton}
      </button>
    </div>
  );
}

/** The microphone could not be opened. */
export function MicrophoneTrouble() {
  const now = useWorkspace().agentVoice.voice.trouble.value;
  if (!now) return null;
  return (
    <div class="notice error" role="alert" id="trouble">
      <Icon name="muted" />
      <p>{now.sentence}</p>
      <button type="button" class="small primary" onClick={now.retry}>
        {W.tryAgain}
      </button>
      <button type="button" class="small" id="go-on" onClick={now.goOn}>
        {W.withoutMicrophone}
      </button>
      <button type="button" class="small" onClick={now.giveUp}>
        {COMMON.cancel}
      </button>
    </div>
  );
}
