// The person's choice of devices: microphone, speaker, and a ringer that may be another speaker. All pages of a browser share it.
import { signal } from "@preact/signals";
import { defaultMicrophone, type MicrophoneSettings } from "../audio/microphone";
import type { PageAudio } from "../audio/page_audio";
import { read, write } from "../storage";

export class SoundSettings {
  readonly microphone = signal<MicrophoneSettings>({
    ...defaultMicrophone,
    ...read<Partial<MicrophoneSettings>>("microphone"),
  });
  /** Id of a device; empty: the browser's choice. */
  readonly speaker = signal(read<string>("speaker") ?? "");
  /** Id of a device; empty: the same as the speaker. */
  readonly ringer = signal(read<string>("ringer") ?? "");
  /** 0..1 */
  readonly ringVolume = signal(volumeOf(read<number>("ring-volume")));

  constructor(private readonly audio: PageAudio) {}

  start(): void {
    this.audio.speaker.use(this.speaker.peek());
    this.audio.devices.start();
  }

  readonly chooseSpeaker = (id: string): void => {
    this.speaker.value = id;
    write("speaker", id);
    this.audio.speaker.use(id);
  };

  readonly chooseRinger = (id: string): void => {
    this.ringer.value = id;
    write("ringer", id);
  };

  setRingVolume(volume: number): void {
    this.ringVolume.value = volumeOf(volume);
    write("ring-volume", this.ringVolume.peek());
  }

  chooseMicrophone(next: MicrophoneSettings): void {
    this.microphone.value = next;
    write("microphone", next);
  }
}

function volumeOf(volume: number | undefined): number {
  return typeof volume === "number" && volume >= 0 && volume <= 1 ? volume : 0.8;
}
