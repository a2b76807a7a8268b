import { useEffect, useState } from "preact/hooks";
import { canChooseSpeaker, type Device } from "../../audio/devices";
import { closeMicrophone, type MicrophoneSettings, openMicrophone } from "../../audio/microphone";
import { Meter } from "../../ui/meter";
import { microphoneTrouble } from "../../words";
import { useWorkspace } from "../context";
import { W } from "../words";

/** One turn of the ring tone. */
const RING_MS = 2400;

export function SoundPanel() {
  const workspace = useWorkspace();
  const { audio, sound, shell, state, agentVoice } = workspace;
  const { microphones, speakers } = audio.devices;
  const [test, setTest] = useState<MediaStream | undefined>();
  useEffect(() => () => closeMicrophone(test), [test]);
  const current = sound.microphone.value;
  const change = (part: Partial<MicrophoneSettings>) => {
    setTest(undefined);
    void agentVoice.voice.changeMicrophone({ ...current, ...part });
  };
  const toggleTest = async () => {
    if (test) return setTest(undefined);
    try {
      setTest(await openMicrophone(current));
      await audio.devices.refresh();
    } catch (error) {
      shell.notices.show(microphoneTrouble(error).sentence, "error");
    }
  };
  const testRing = () => {
    workspace.ring();
    setTimeout(() => state.rings.peek() === undefined && audio.ringer.stop(), RING_MS);
  };
  return (
    <details class="card panel" id="sound">
      <summary>
        <h2>{W.sound}</h2>
      </summary>
      <Choose
        id="microphone"
        label={W.microphone}
        none={W.byBrowser}
        devices={microphones.value}
        value={current.deviceId}
        choose={(deviceId) => change({ deviceId })}
      />
      <div class="test">
        <button type="button" class="small" onClick={() => void toggleTest()}>
          {test ? W.stopTest : W.testMicrophone}
        </button>
        <Meter stream={test} label={W.microphoneLevel} />
      </div>
      {canChooseSpeaker && (
        <>
          <Choose
            id="speaker"
            label={W.speaker}
            none={W.byBrowser}
            devices={speakers.value}
            value={sound.speaker.value}
            choose={sound.chooseSpeaker}
          />
          <Choose
            id="ringer"
            label={W.ringer}
            none={W.sameAsSpeaker}
            devices={speakers.value}
            value={sound.ringer.value}
            choose={sound.chooseRinger}
          />
        </>
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
      <fieldset>
        <legend>{W.processing}</legend>
        <Check label={W.echo} on={current.echoCancellation} set={(on) => change({ echoCancellation: on })} />
        <Check label={W.noise} on={current.noiseSuppression} set={(on) => change({ noiseSuppression: on })} />
        <Check label={W.gain} on={current.autoGainControl} set={(on) => change({ autoGainControl: on })} />
      </fieldset>
    </details>
  );
}

function Choose({
  id,
  label,
  none,
  devices,
  value,
  choose,
}: {
  id: string;
  label: string;
  none: string;
  devices: Device[];
  value: string;
  choose(id: string): void;
}) {
  return (
    <>
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{none}</option>
        {devices.map((device) => (
          <option key={device.id} value={device.id}>
            {device.label}
          </option>
        ))}
      </select>
    </>
  );
}

function Check({ label, on, set }: { label: string; on: boolean; set(on: boolean): void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={on} onChange={(event) => set(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}
