// The lists behind the device pickers.
import { signal } from "@preact/signals";

export interface Device {
  id: string;
  label: string;
}

/** True if this browser lets a page choose the output device. */
export const canChooseSpeaker = typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;

export class Devices {
  readonly microphones = signal<Device[]>([]);
  readonly speakers = signal<Device[]>([]);

  /** Reads the lists, and again whenever a device comes or goes. */
  start(): void {
    void this.refresh();
    navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.refresh());
  }

  /** Names appear only once the page was allowed to use the microphone. */
  async refresh(): Promise<void> {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    this.microphones.value = listOf(all, "audioinput", "Microphone");
    this.speakers.value = listOf(all, "audiooutput", "Speaker");
  }
}

function listOf(all: readonly MediaDeviceInfo[], kind: MediaDeviceKind, name: string): Device[] {
  return all
    .filter((device) => device.kind === kind && device.deviceId && device.deviceId !== "default")
    .map((device, n) => ({ id: device.deviceId, label: device.label || `${name} ${n + 1}` }));
}
