import { SignIn } from "../../centre/ui/signin";
import { Logo } from "../../ui/icons";
import { signIn, signInNote, signOut, stage, user } from "../board";
import { W } from "../words";
import { Banners } from "./banners";
import { Crew } from "./crew";
import { Day } from "./day";
import { Header } from "./header";
import { Queues } from "./queues";
import { SupervisionBar } from "./supervision";

export function App() {
  switch (stage.value) {
    case "starting":
      return null;
    case "sign-in":
      return (
        <main class="lone">
          <SignIn title={W.title} lead={W.signInLead} note={signInNote.value} submit={signIn} />
          <p>
            <a href="agent">{W.toDesktop}</a>
          </p>
        </main>
      );
    case "not-supervisor":
      return (
        <main class="lone">
          <div class="signin card">
            <Logo />
            <h1>{W.title}</h1>
            <p>{W.notSupervisor(user.value?.display ?? "")}</p>
            <a class="go" href="agent">
              {W.toDesktop}
            </a>
            <button type="button" class="small" onClick={() => void signOut()}>
              {W.signInAsOther}
            </button>
          </div>
        </main>
      );
    case "board":
      return (
        <>
          <a class="skip" href="#crew">
            {W.skip}
          </a>
          <Header />
          <Banners />
          <main class="wall">
            <Queues />
            <Crew />
            <Day />
          </main>
          <SupervisionBar />
        </>
      );
  }
}
