// A microphone of this browser: which there are, what one hears, and where its chunks go.

import { SAMPLE_RATE_HERTZ } from "./pcm.js";

const WORKLET_URL = new URL("./capture-worklet.js", import.meta.url);

// Why the browser will not let a page hear anything; "" when it will.
export function obstacle() {
  if (!globalThis.isSecureContext) return "INSECURE";
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) return "UNSUPPORTED";
  return "";
}

// [{deviceId, label}]; without labels until a microphone was opened.
export async function microphones() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId);
}

export class Capture {
  #context;
  #node;
  #source = null;
  #stream = null;
  #stoodStillAt = null; // ms, while the context does not run
  #onLost;

  // onLevel({level_dbfs, peak_dbfs}): ten times a second while something is heard.
  // onLost(): the microphone was unplugged, or taken away.
  static async open({ deviceId, isProcessed, onLevel, onLost }) {
    const stream = await listen(deviceId, isProcessed);
    const capture = new Capture();
    capture.#onLost = onLost;
    try {
      await capture.#build(stream, SAMPLE_RATE_HERTZ);
    } catch (error) {
      await capture.close();
      throw error;
    }
    capture.#node.port.onmessage = ({ data }) => onLevel(data);
    capture.#node.onprocessorerror = onLost;
    return capture;
  }

  // Another microphone in the place of this one; the count of samples goes on.
  async change({ deviceId, isProcessed }) {
    // Some systems let a device be opened once only: the old one goes first.
    this.#silence();
    this.#connect(await listen(deviceId, isProcessed));
  }

  // Chunks go to `port` from now on, counted from 0.
  speak(port) {
    this.#node.port.postMessage({ sink: port }, [port]);
  }

  // No more chunks; the port is told so after the last.
  stop() {
    this.#node.port.postMessage({ end: true });
  }

  async close() {
    this.#silence();
    this.#node?.port.postMessage({ close: true });
    if (this.#context) {
      this.#context.onstatechange = null;
      await this.#context.close();
    }
  }

  get label() {
    return this.#stream?.getAudioTracks()[0]?.label ?? "";
  }

  get deviceId() {
    return this.#stream?.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  // The browser resamples where it can; where it ignores or refuses the rate, the worklet does.
  async #build(stream, rate) {
    try {
      this.#context = new AudioContext(rate ? { sampleRate: rate } : {});
      await this.#context.audioWorklet.addModule(WORKLET_URL);
      this.#node = new AudioWorkletNode(this.#context, "glossa-capture", { numberOfOutputs: 0 });
      this.#connect(stream);
    } catch (error) {
      // Firefox: a microphone has to have the context's rate.
      if (!rate || error.name !== "NotSupportedError") throw error;
      await this.#context?.close();
      await this.#build(stream, null);
      return;
    }
    this.#context.onstatechange = () => this.#followState();
    await this.#context.resume();
  }

  #connect(stream) {
    this.#stream = stream;
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#node);
    stream.getAudioTracks()[0].onended = () => this.#onLost();
  }

  #silence() {
    this.#source?.disconnect();
    this.#source = null;
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#stream = null;
  }

  // A phone call, or a machine that slept: the time that passed is counted as missing.
  #followState() {
    if (this.#context.state === "running") {
      if (this.#stoodStillAt !== null) {
        this.#node.port.postMessage({ missingMs: performance.now() - this.#stoodStillAt });
      }
      this.#stoodStillAt = null;
    } else {
      this.#stoodStillAt ??= performance.now();
      this.#context.resume().catch(() => {}); // refused while a call lasts; the next change tries again
    }
  }
}

function listen(deviceId, isProcessed) {
  return navigator.mediaDevices.getUserMedia({
    audio: {
      ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      channelCount: { ideal: 2 },
      echoCancellation: isProcessed,
      noiseSuppression: isProcessed,
      autoGainControl: isProcessed,
    },
  });
}
