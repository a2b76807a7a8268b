// Choosing and trying the devices: the parts of a sound panel that pages share.
import { useEffect, useState } from "preact/hooks";
import { canChooseSpeaker, type Device } from "../audio/devices";
import { closeMicrophone, type MicrophoneSettings, openMicrophone } from "../audio/microphone";
import type { Voice } from "../voice/voice";
import { microphoneTrouble, SOUND } from "../words";
import { Meter } from "./meter";
import type { Notices } from "./shell/notices";

/** The microphone, and a meter to try it with. */
export function MicrophoneChoice({ voice, notices }: { voice: Voice; notices: Notices }) {
  const { devices } = voice.audio;
  const settings = voice.sound.microphone.value;
  const [test, setTest] = useState<MediaStream | undefined>();
  useEffect(() => () => closeMicrophone(test), [test]);
  // Another microphone, or another processing, is tried anew.
  useEffect(() => setTest(undefined), [settings]);
  const begin = async () => {
    try {
      setTest(await openMicrophone(settings));
      await devices.refresh();
    } catch (error) {
      notices.show(microphoneTrouble(error).sentence, "error");
    }
  };
  return (
    <>
      <DeviceChoice
        id="microphone"
        label={SOUND.microphone}
        none={SOUND.byBrowser}
        devices={devices.microphones.value}
        value={settings.deviceId}
        choose={(deviceId) => void voice.changeMicrophone({ ...settings, deviceId })}
      />
      <div class="test">
        <button type="button" class="small" onClick={() => (test ? setTest(undefined) : void begin())}>
          {test ? SOUND.stopTest : SOUND.testMicrophone}
        </button>
        <Meter stream={test} label={SOUND.testLevel} />
      </div>
    </>
  );
}

/** The speaker, where the browser lets a page choose it. */
export function SpeakerChoice({ voice: { audio, sound } }: { voice: Voice }) {
  if (!canChooseSpeaker) return null;
  return (
    <DeviceChoice
      id="speaker"
      label={SOUND.speaker}
      none={SOUND.byBrowser}
      devices={audio.devices.speakers.value}
      value={sound.speaker.value}
      choose={sound.chooseSpeaker}
    />
  );
}

/** Processing of the sound of the microphone by the browser. */
export function ProcessingChoice({ voice }: { voice: Voice }) {
  const settings = voice.sound.microphone.value;
  const check = (name: Exclude<keyof MicrophoneSettings, "deviceId">, label: string) => (
    <label class="check">
      <input
        type="checkbox"
        checked={settings[name]}
        onChange={(event) => void voice.changeMicrophone({ ...settings, [name]: event.currentTarget.checked })}
      />
      <span>{label}</span>
    </label>
  );
  return (
    <fieldset>
      <legend>{SOUND.processing}</legend>
      {check("echoCancellation", SOUND.echo)}
      {check("noiseSuppression", SOUND.noise)}
      {check("autoGainControl", SOUND.gain)}
    </fieldset>
  );
}

/** One of several devices, or `none` of them in particular. */
export function DeviceChoice({
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
