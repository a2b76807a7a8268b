import { ringerBlocked } from "../../audio/ringer";
import { playbackBlocked } from "../../audio/speaker";
import { Dialog } from "../../centre/ui/dialog";
import { SignIn } from "../../centre/ui/signin";
import { COMMON } from "../../centre/words";
import { useNow } from "../../ui/hooks";
import { Icon } from "../../ui/icons";
import { line, me, needsClick, rings, signIn, signInNote, stream, unlock, user } from "../desk";
import { dismiss, notice, trouble } from "../notices";
import { W } from "../words";

/** Everything that the agent should read now. */
export function Banners() {
  return (
    <section class="banners" aria-label={W.messages}>
      <Lost />
      <Silent />
      {/* What is under a modal dialog cannot be pressed: there it stands in the dialog. */}
      {!rings.value && <MicrophoneTrouble />}
      <Told />
    </section>
  );
}

function Lost() {
  const events = stream.value;
  const browserNow = useNow(500);
  const phone = line.value?.registration.value;
  if (!user.value) {
    return (
      <Dialog id="sign-in-again" label="signin-title">
        <SignIn title={W.title} lead={W.signInLead} note={signInNote.value} submit={signIn} />
      </Dialog>
    );
  }
  // The banner stays until events come again, even while an attempt is under way.
  if (events?.lost.value) {
    const left = Math.max(0, Math.ceil(((events.again.value ?? 0) - browserNow) / 1000));
    return (
      <Banner
        id="lost"
        text={W.streamLost}
        note={COMMON.reconnectingIn(left)}
        action={COMMON.tryNow}
        act={() => {
          events.retry();
          line.value?.retry();
        }}
      />
    );
  }
  const text =
    phone?.state === "offline" ? W.phone.offline : phone?.state === "refused" ? W.phone.refused(phone.code) : undefined;
  return text ? <Banner id="phone-lost" text={text} action={COMMON.tryNow} act={() => line.value?.retry()} /> : null;
}

function Silent() {
  const wanted = needsClick.value || playbackBlocked.value || ringerBlocked.value;
  if (!wanted || !me.value) return null;
  return (
    <div class="notice toast" role="alert" id="needs-click">
      <p>{W.continueText}</p>
      <button type="button" class="small primary" id="continue" onClick={unlock}>
        {W.continueButton}
      </button>
    </div>
  );
}

/** The microphone could not be opened. */
export function MicrophoneTrouble() {
  const now = trouble.value;
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

function Told() {
  const now = notice.value;
  if (!now) return null;
  return (
    <div class={`notice toast ${now.kind}`} role={now.kind === "error" ? "alert" : "status"} id="notice">
      <p>{now.text}</p>
      <button type="button" class="plain round" aria-label={COMMON.dismiss} onClick={dismiss}>
        <Icon name="close" size={18} />
      </button>
    </div>
  );
}

function Banner({ id, text, note, action, act }: { id: string; text: string; note?: string; action: string; act(): void }) {
  return (
    <div class="notice error" id={id}>
      <Icon name="nosignal" />
      <p role="alert">{text}</p>
      {note && <span class="ticking">{note}</span>}
      <button type="button" class="small" onClick={act}>
        {action}
      </button>
    </div>
  );
}
