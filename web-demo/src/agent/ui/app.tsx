import { SignIn } from "../../centre/ui/signin";
import { Logo } from "../../ui/icons";
import { aboutWhom, call, rings, signIn, signInNote, signOut, stage, takeOver, user, whoRings, wrappingUp } from "../desk";
import { voice } from "../voice";
import { W } from "../words";
import { Banners } from "./banners";
import { CallView, stateOf } from "./call";
import { Header } from "./header";
import { Idle } from "./idle";
import { OfferDialog } from "./offer";
import { Recents } from "./recents";
import { useShortcuts } from "./shortcuts";
import { SoundPanel } from "./sound";
import { StatePanel } from "./state";
import { Team } from "./team";
import { WrapUp } from "./wrapup";

export function App() {
  switch (stage.value) {
    case "starting":
      return null;
    case "sign-in":
      return (
        <main class="lone">
          <SignIn title={W.title} lead={W.signInLead} note={signInNote.value} submit={signIn} />
          <p class="elsewhere">
            <a href="wallboard">{W.toWallboard}</a>
          </p>
        </main>
      );
    case "not-agent":
      return (
        <main class="lone">
          <div class="signin card">
            <Logo />
            <h1>{W.title}</h1>
            <p>{W.notAgent(user.value?.display ?? "")}</p>
            <a class="go" href="wallboard">
              {W.toWallboard}
            </a>
            <button type="button" class="small" onClick={() => void signOut()}>
              {W.signInAsOther}
            </button>
          </div>
        </main>
      );
    case "superseded":
      return (
        <main class="lone">
          <div class="signin card" id="superseded">
            <Logo />
            <h1>{W.superseded}</h1>
            <p>{W.supersededText}</p>
            <button type="button" class="go" id="take-over" onClick={takeOver}>
              {W.takeOver}
            </button>
          </div>
        </main>
      );
    case "desk":
      return <Desk />;
  }
}

function Desk() {
  useShortcuts();
  const busy = call.value !== undefined || voice.value !== undefined;
  return (
    <>
      <a class="skip" href="#stage">
        {W.skip}
      </a>
      <Header />
      <Banners />
      <main class="desk">
        <div class="col col-state">
          <StatePanel />
        </div>
        <div class="col col-stage" id="stage" tabIndex={-1}>
          {busy ? <CallView /> : wrappingUp.value ? <WrapUp /> : <Idle />}
        </div>
        <div class="col col-side">
          <Recents />
          <Team />
          <SoundPanel />
        </div>
      </main>
      {rings.value && <OfferDialog />}
      <Announcer />
    </>
  );
}

/** Announcements for a screen reader. */
function Announcer() {
  const ringing = rings.value;
  const queue = ringing?.offer?.call.queue?.name ?? ringing?.voice?.queue ?? "";
  const state = call.value || voice.value ? stateOf(call.value, voice.value?.call) : wrappingUp.value ? W.wrapTitle : "";
  return (
    <>
      <p class="unseen" role="alert">
        {ringing ? W.offerSpoken(whoRings(ringing), queue, aboutWhom(ringing)) : ""}
      </p>
      <p class="unseen" aria-live="polite">
        {state}
      </p>
    </>
  );
}
