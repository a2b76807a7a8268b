import type { ComponentChildren } from "preact";
import { COMMON } from "../../centre/words";
import type { Registration } from "../../phone/phone";
import { Logo } from "../icons";
import { ThemeButton } from "../theme";
import { connectionOf } from "./connection";
import { useShell } from "./context";

/**
 * The head of a page. `phone` is the state of its registration, null where it has none; `tools` are buttons of the page's own.
 */
export function Bar({
  title,
  phone,
  tools,
  signingOut = false,
  signOut,
  children,
}: {
  title: string;
  phone: Registration["state"] | undefined | null;
  tools: ComponentChildren;
  signingOut?: boolean;
  signOut(): void;
  children: ComponentChildren;
}) {
  const { signedIn } = useShell();
  return (
    <header class="bar">
      <div class="brand">
        <Logo />
        <h1>
          {COMMON.product} <span class="quiet">{title}</span>
        </h1>
      </div>
      {children}
      <ConnectionPill phone={phone} />
      {tools}
      <ThemeButton />
      <div class="account">
        <span class="account-name" title={signedIn?.name}>
          {signedIn?.display}
        </span>
        <button type="button" class="plain" id="sign-out" disabled={signingOut} onClick={signOut}>
          {COMMON.signOut}
        </button>
      </div>
    </header>
  );
}

function ConnectionPill({ phone }: { phone: Registration["state"] | undefined | null }) {
  const events = useShell().stream.value;
  const { word, tone } = connectionOf(events?.state.value, events?.lost.value ?? false, phone);
  return (
    <p class={`standing ${tone}`} role="status" id="connection" data-state={word}>
      <span class="dot" aria-hidden="true" />
      <span class="standing-word">{word}</span>
    </p>
  );
}
