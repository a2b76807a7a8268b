// Opening the microphone, and changing it in a call.

export interface MicrophoneSettings {
  /** Empty: whatever the browser prefers. */
  deviceId: string;
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGainControl: boolean;
}

export const defaultMicrophone: MicrophoneSettings = {
  deviceId: "",
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

/** Opens the microphone. @throws an error whose name says why: NotAllowedError, NotFoundError, InsecureContext, … */
export async function openMicrophone(settings: MicrophoneSettings): Promise<MediaStream> {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices?.getUserMedia) throw Object.assign(new Error("no getUserMedia"), { name: "InsecureContext" });
  const { deviceId, ...processing } = settings;
  if (deviceId) {
    try {
      return await devices.getUserMedia({ audio: { ...processing, deviceId: { exact: deviceId } } });
    } catch (error) {
      const gone = error instanceof Error && /^(OverconstrainedError|NotFoundError)$/.test(error.name);
      if (!gone) throw error; // an unplugged device: fall back to the default one
    }
  }
  return devices.getUserMedia({ audio: processing });
}

export function closeMicrophone(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Another microphone in a running call; it stays muted if the one before was. */
export async function replaceMicrophone(pc: RTCPeerConnection, stream: MediaStream): Promise<void> {
  const track = stream.getAudioTracks()[0];
  const sender = pc.getSenders().find(({ track }) => track?.kind === "audio");
  if (!track || !sender) return;
  track.enabled = sender.track?.enabled ?? true;
  await sender.replaceTrack(track);
}
