import type { Call } from "../voice/call";
import { SOUND } from "../words";
import { Meter } from "./meter";

/** Loudness of both sides of a call; `silent`: nothing of the microphone is sent. */
export function Levels({ call, silent }: { call: Call; silent: boolean }) {
  return (
    <div class="levels">
      <span aria-hidden="true">{SOUND.you}</span>
      <Meter stream={silent ? undefined : call.microphone.value} label={SOUND.microphoneLevel} />
      <span aria-hidden="true">{SOUND.them}</span>
      <Meter stream={call.remote.value} label={SOUND.theirLevel} />
    </div>
  );
}
