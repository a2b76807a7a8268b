// The agent's devices: microphone, speaker, and a ringer that may be another speaker.
import { signal } from "@preact/signals";
import { refreshDevices, watchDevices } from "../audio/devices";
import { defaultMicrophone, type MicrophoneSettings, openMicrophone, silence } from "../audio/microphone";
import { setSpeaker } from "../audio/speaker";
import { read, write } from "../storage";
import { microphoneTrouble } from "../words";
import { trouble } from "./notices";

export const microphone = signal<MicrophoneSettings>({
  ...defaultMicrophone,
  ...read<Partial<MicrophoneSettings>>("microphone"),
});
export const speakerId = signal(read<string>("speaker") ?? "");
/** Empty: the same as the speaker. */
export const ringerId = signal(read<string>("ringer") ?? "");
/** 0..1 */
export const ringVolume = signal(clampVolume(read<number>("ring-volume")));

export function startSound(): void {
  setSpeaker(speakerId.value);
  void refreshDevices();
  watchDevices(() => undefined);
}

export function chooseSpeaker(id: string): void {
  speakerId.value = id;
  write("speaker", id);
  setSpeaker(id);
}

export function chooseRinger(id: string): void {
  ringerId.value = id;
  write("ringer", id);
}

export function setRingVolume(volume: number): void {
  ringVolume.value = clampVolume(volume);
  write("ring-volume", ringVolume.value);
}

export function keepMicrophone(next: MicrophoneSettings): void {
  microphone.value = next;
  write("microphone", next);
}

/** Opens the microphone and goes on with it; where that fails, asks the person how. `gaveUp` where they did. */
export async function withMicrophone(
  go: (stream: MediaStream, listening: boolean) => void,
  gaveUp: () => void = () => undefined,
): Promise<void> {
  trouble.value = undefined;
  try {
    const stream = await openMicrophone(microphone.value);
    void refreshDevices();
    go(stream, false);
  } catch (error) {
    const close = (then: () => void) => () => {
      trouble.value = undefined;
      then();
    };
    trouble.value = {
      sentence: microphoneTrouble(error).sentence,
      retry: () => void withMicrophone(go, gaveUp),
      goOn: close(() => go(silence(), true)),
      giveUp: close(gaveUp),
    };
  }
}

function clampVolume(volume: number | undefined): number {
  return typeof volume === "number" && volume >= 0 && volume <= 1 ? volume : 0.8;
}
