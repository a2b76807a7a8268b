import { canChooseSpeaker } from "../../audio/devices";
import { DeviceChoice, MicrophoneChoice, ProcessingChoice, SpeakerChoice } from "../../ui/sound_choice";
import { useWorkspace } from "../context";
import { W } from "../words";

/** One turn of the ring tone. */
const RING_MS = 2400;

export function SoundPanel() {
  const workspace = useWorkspace();
  const { audio, sound, shell, state } = workspace;
  const { voice } = workspace.agentVoice;
  const testRing = () => {
    workspace.ring();
    setTimeout(() => state.rings.peek() === undefined && audio.ringer.stop(), RING_MS);
  };
  return (
    <details class="card panel" id="sound">
      <summary>
        <h2>{W.sound}</h2>
      </summary>
      <MicrophoneChoice voice={voice} notices={shell.notices} />
      <SpeakerChoice voice={voice} />
      {canChooseSpeaker && (
        <DeviceChoice
          id="ringer"
          label={W.ringer}
          none={W.sameAsSpeaker}
          devices={audio.devices.speakers.value}
          value={sound.ringer.value}
          choose={sound.chooseRinger}
        />
      )}
      <label for="ring-volume">{W.ringVolume}</label>
      <div class="test">
        <button type="button" class="small" id="test-ring" onClick={testRing}>
          {W.testRing}
        </button>
        <input
          id="ring-volume"
          type="range"
          min="0"
          max="1"
          step="0.05"
          value={sound.ringVolume.value}
          onInput={(event) => sound.setRingVolume(Number(event.currentTarget.value))}
        />
      </div>
      <ProcessingChoice voice={voice} />
    </details>
  );
}
