import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { COMMON, problemWords } from "../../centre/words";
import { Icon, Logo } from "../icons";

/** User and password. `lead` says what for, `note` why now. */
export function SignIn({
  title,
  lead,
  note,
  submit,
}: {
  title: string;
  lead: string;
  note?: string;
  submit(user: string, password: string): Promise<void>;
}) {
  const [wrong, setWrong] = useState("");
  const [waiting, setWaiting] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const second = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const send = async (event: Event) => {
    event.preventDefault();
    if (waiting || !first.current || !second.current) return;
    setWaiting(true);
    setWrong("");
    try {
      await submit(first.current.value.trim(), second.current.value);
    } catch (error) {
      setWrong(problemWords(error));
      if (second.current) {
        second.current.value = "";
        second.current.focus();
      }
    }
    setWaiting(false);
  };
  return (
    <form class="signin card" onSubmit={(event) => void send(event)} aria-labelledby="signin-title">
      <Logo />
      <h1 id="signin-title">{title}</h1>
      <p class="quiet">{lead}</p>
      {note && (
        <p class="hint" role="status" id="signin-note">
          {note}
        </p>
      )}
      <label for="user">{COMMON.user}</label>
      <input
        id="user"
        ref={first}
        type="text"
        autocomplete="username"
        autocapitalize="off"
        spellcheck={false}
        required
        maxLength={64}
      />
      <label for="password">{COMMON.password}</label>
      <input
        id="password"
        ref={second}
        type="password"
        autocomplete="current-password"
        required
        maxLength={256}
        aria-describedby={wrong ? "signin-wrong" : undefined}
        aria-invalid={wrong ? true : undefined}
      />
      <p class="wrong" role="alert" id="signin-wrong">
        {wrong && (
          <>
            <Icon name="warning" size={18} /> {wrong}
          </>
        )}
      </p>
      <button type="submit" class="go" id="signin" aria-disabled={waiting}>
        {waiting ? COMMON.signingIn : COMMON.signIn}
      </button>
    </form>
  );
}
