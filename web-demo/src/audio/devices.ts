// The lists behind the device pickers.
import { signal } from "@preact/signals";

export interface Device {
  id: string;
  label: string;
}

export const microphones = signal<Device[]>([]);
export const speakers = signal<Device[]>([]);

/** True if this browser lets a page choose the output device. */
export const canChooseSpeaker = typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;

/** Names appear only once the page was allowed to use the microphone. */
export async function refreshDevices(): Promise<void> {
  const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  const list = (kind: MediaDeviceKind): Device[] =>
    all
      .filter((device) => device.kind === kind && device.deviceId && device.deviceId !== "default")
      .map((device, n) => ({
        id: device.deviceId,
        label: device.label || `${kind === "audioinput" ? "Microphone" : "Speaker"} ${n + 1}`,
      }));
  microphones.value = list("audioinput");
  speakers.value = list("audiooutput");
}

export function watchDevices(changed: () => void): void {
  navigator.mediaDevices?.addEventListener?.("devicechange", () => refreshDevices().then(changed));
}
