import { Banners } from "../../ui/shell/banners";
import { Frame } from "../../ui/shell/frame";
import { WallboardContext } from "../context";
import type { Wallboard } from "../wallboard";
import { W } from "../words";
import { Agents } from "./agents";
import { Day } from "./day";
import { DirectCalls } from "./direct_calls";
import { Header } from "./header";
import { Queues } from "./queues";
import { SoundHeld } from "./sound_held";
import { SupervisionBar } from "./supervision";

export function App({ wallboard }: { wallboard: Wallboard }) {
  return (
    <WallboardContext.Provider value={wallboard}>
      <Frame shell={wallboard.shell} words={W}>
        <a class="skip" href="#agent-list">
          {W.skip}
        </a>
        <Header />
        <Banners words={W} streamLost={W.streamLost}>
          <SoundHeld />
        </Banners>
        <main class="wall">
          <Queues />
          <Agents />
          <DirectCalls />
          <Day />
        </main>
        <SupervisionBar />
      </Frame>
    </WallboardContext.Provider>
  );
}
