import type { ComponentChildren } from "preact";
import { COMMON } from "../../centre/words";
import { Logo } from "../icons";
import { PageContext } from "../page";
import { ShellContext } from "./context";
import type { Shell } from "./shell";
import { SignIn } from "./signin";

/** Words of a page before anybody has signed in. */
export interface FrameWords {
  title: string;
  signInLead: string;
  notAllowed(name: string): string;
  /** The other page, for those who are wrong here. */
  other: { href: string; label: string };
}

/** A page of the call centre: the form of the sign-in, or why the page cannot be shown, or what is in it. */
export function Frame({ shell, words, children }: { shell: Shell; words: FrameWords; children: ComponentChildren }) {
  return (
    <PageContext.Provider value={shell.page}>
      <ShellContext.Provider value={shell}>
        <Staged shell={shell} words={words}>
          {children}
        </Staged>
      </ShellContext.Provider>
    </PageContext.Provider>
  );
}

function Staged({ shell, words, children }: { shell: Shell; words: FrameWords; children: ComponentChildren }) {
  switch (shell.stage.value) {
    case "starting":
      return null;
    case "sign-in":
      return (
        <main class="lone">
          <SignIn title={words.title} lead={words.signInLead} note={shell.signInNote.value} submit={shell.signIn} />
          <p class="elsewhere">
            <a href={words.other.href}>{words.other.label}</a>
          </p>
        </main>
      );
    case "not-allowed":
      return (
        <main class="lone">
          <div class="signin card">
            <Logo />
            <h1>{words.title}</h1>
            <p>{words.notAllowed(shell.signedIn?.display ?? "")}</p>
            <a class="go" href={words.other.href}>
              {words.other.label}
            </a>
            <button type="button" class="small" onClick={() => void shell.signOut()}>
              {COMMON.signInAsOther}
            </button>
          </div>
        </main>
      );
    case "superseded":
      return (
        <main class="lone">
          <div class="signin card" id="superseded">
            <Logo />
            <h1>{COMMON.superseded}</h1>
            <p>{COMMON.supersededText}</p>
            <button type="button" class="go" id="take-over" onClick={shell.takeOver}>
              {COMMON.takeOver}
            </button>
          </div>
        </main>
      );
    case "signed-in":
      return <>{children}</>;
  }
}
