// Runs on the audio thread: hands every block of what is heard to the page.
class Capture extends AudioWorkletProcessor {
  process([channels]) {
    if (channels[0]) this.port.postMessage(channels[0].slice());
    return true;
  }
}

registerProcessor("capture", Capture);
