import type { ComponentChildren } from "preact";
import { Dialog } from "../../centre/ui/dialog";
import { COMMON } from "../../centre/words";
import { useNow } from "../hooks";
import { Icon } from "../icons";
import { useShell } from "./context";
import type { FrameWords } from "./frame";
import { SignIn } from "./signin";

/** Everything that the person should read now; `children` are the page's own, and `retry` what else is tried when it is asked for. */
export function Banners({
  words,
  streamLost,
  retry,
  children,
}: {
  words: FrameWords;
  streamLost: string;
  retry?(): void;
  children?: ComponentChildren;
}) {
  return (
    <section class="banners" aria-label={COMMON.messages}>
      <SignInAgain words={words} />
      <StreamLost text={streamLost} retry={retry} />
      {children}
      <Outdated />
      <Toast />
    </section>
  );
}

/** The sign-in ended by itself while the page is in use. */
function SignInAgain({ words }: { words: FrameWords }) {
  const shell = useShell();
  if (shell.signedIn) return null;
  return (
    <Dialog id="sign-in-again" label="signin-title">
      <SignIn title={words.title} lead={words.signInLead} note={shell.signInNote.value} submit={shell.signIn} />
    </Dialog>
  );
}

/** Stays until events come again, even while an attempt is under way. */
function StreamLost({ text, retry }: { text: string; retry?(): void }) {
  const shell = useShell();
  const events = shell.stream.value;
  const browserNow = useNow(500);
  if (!shell.signedIn || !events?.lost.value) return null;
  const left = Math.max(0, Math.ceil(((events.again.value ?? 0) - browserNow) / 1000));
  return (
    <Banner
      id="lost"
      text={text}
      note={COMMON.reconnectingIn(left)}
      action={COMMON.tryNow}
      act={() => {
        events.retry();
        retry?.();
      }}
    />
  );
}

/** The gateway was updated. */
function Outdated() {
  const { version } = useShell();
  if (!version.outdated.value) return null;
  return (
    <div class="notice info" role="status" id="outdated">
      <p>{COMMON.outdated}</p>
      <button type="button" class="small" id="reload" onClick={() => location.reload()}>
        {COMMON.reload}
      </button>
    </div>
  );
}

function Toast() {
  const { notices } = useShell();
  const now = notices.notice.value;
  if (!now) return null;
  return (
    <div class={`notice toast ${now.kind}`} role={now.kind === "error" ? "alert" : "status"} id="notice">
      <p>{now.text}</p>
      <button type="button" class="plain round" aria-label={COMMON.dismiss} onClick={notices.dismiss}>
        <Icon name="close" size={18} />
      </button>
    </div>
  );
}

/** A connection that is not well, and a button that tries it again. */
export function Banner({
  id,
  text,
  note,
  action,
  act,
}: {
  id: string;
  text: string;
  note?: string;
  action: string;
  act(): void;
}) {
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
