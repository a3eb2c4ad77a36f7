// Speaking through this browser: which microphone, what is said in which language, and how it goes.

import { keepAwake } from "../shared/wake-lock.js";
import { Capture, microphones, obstacle } from "./capture.js";
import { Form } from "./form.js";
import { SAMPLE_RATE_HERTZ } from "./pcm.js";

const OBSTACLES = {
  INSECURE:
    "The browser lets a page hear the microphone over HTTPS only, or on the machine that Glossa runs on. Open this page there as " +
    "http://localhost and this port, or give captions a certificate (GLOSSA_CAPTIONS_WEB_CERTIFICATE_FILE and " +
    "GLOSSA_CAPTIONS_WEB_KEY_FILE) and open it with https://.",
  UNSUPPORTED: "This browser cannot give a page the microphone’s sound. Use a current Chrome, Edge, Firefox or Safari.",
};
const DEVICE_ERRORS = {
  NotAllowedError: "The browser did not allow it. Allow the microphone for this page (beside the address), and try again.",
  NotFoundError: "There is no microphone. Plug one in, and try again.",
  NotReadableError: "Another program has this microphone. Close it there, or choose another.",
  OverconstrainedError: "This microphone is gone. Choose another.",
};

const seconds = (samples) => `${(samples / SAMPLE_RATE_HERTZ).toFixed(1)} s`;

export class MicrophonePanel {
  isHeard = false; // a level comes from here
  #form;
  #host;
  #capture = null;
  #worker = null;
  #report = null; // of the link, the newest
  #isGone = false; // unplugged

  /**
   * host: {meter, onSession(id) when a session of ours opens, openSessions() that have no speaker,
   * defaults(): the Session to take languages from, or null}.
   */
  constructor(root, host) {
    this.#host = host;
    this.#form = new Form(root, {
      onListen: () => (this.#capture ? this.#close() : this.#listen()),
      onDevice: () => this.#capture && this.#change(),
      onStart: () => this.#start(),
      onStop: () => this.#stop(),
      onGiveUp: () => this.#over(),
    });
    const reason = obstacle();
    if (reason) {
      this.#form.refuse(OBSTACLES[reason]);
      return;
    }
    navigator.mediaDevices.addEventListener("devicechange", () => this.#devicesChanged());
    this.#showDevices();
    this.#form.show({ isListening: false, isSpeaking: false });
  }

  get isSpeaking() {
    return this.#worker !== null;
  }

  // ---- The microphone -----------------------------------------------------------------------

  async #listen() {
    this.#form.tell("Asking the browser for the microphone.");
    try {
      this.#capture = await Capture.open({
        ...this.#form.device,
        onLevel: (level) => this.#host.meter.show(level),
        onLost: () => this.#lose(),
      });
    } catch (error) {
      this.#form.warn(deviceWords(error));
      return;
    }
    this.isHeard = true;
    this.#isGone = false;
    await this.#showDevices(); // they have names now
    this.#form.fill(this.#host.defaults(), this.#host.openSessions());
    this.#form.tell(`Hearing ${this.#capture.label}. Speak, and look at the level.`);
    this.#show();
  }

  async #change() {
    try {
      await this.#capture.change(this.#form.device);
      this.#isGone = false;
      this.#form.tell(`Hearing ${this.#capture.label}.`);
    } catch (error) {
      this.#lose();
      this.#form.warn(deviceWords(error));
    }
  }

  #lose() {
    this.#isGone = true;
    this.#host.meter.show(null);
    this.#form.warn("The microphone is gone. Plug it in again, or choose another; what is said meanwhile is missing.");
  }

  async #devicesChanged() {
    const wanted = this.#form.device.deviceId;
    const devices = await this.#showDevices();
    const isBack = devices.some(({ deviceId }) => deviceId === wanted);
    if (this.#isGone && isBack && this.#capture) await this.#change();
  }

  async #showDevices() {
    const devices = await microphones();
    this.#form.setDevices(devices, this.#capture?.deviceId ?? "");
    return devices;
  }

  async #close() {
    const capture = this.#capture;
    this.#capture = null;
    this.isHeard = false;
    this.#host.meter.show(null);
    this.#form.tell("");
    this.#show();
    await capture.close();
  }

  // ---- The session --------------------------------------------------------------------------

  #start() {
    const { port1, port2 } = new MessageChannel();
    const url = new URL("/operator/microphone", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.#report = null;
    this.#worker = new Worker(new URL("./link-worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#take(data);
    this.#worker.postMessage({ start: { url: url.href, config: this.#form.config, chunks: port1 } }, [port1]);
    this.#capture.speak(port2);
    keepAwake(true);
    this.#form.tell("Starting the session.");
    this.#show();
  }

  // The worker ends it once everything is settled.
  #stop() {
    this.#capture.stop();
    this.#form.show({ isListening: true, isSpeaking: true, isEnding: true });
  }

  #take(report) {
    const isNew = report.sessionId && report.sessionId !== this.#report?.sessionId;
    this.#report = report;
    if (isNew) this.#host.onSession(report.sessionId);
    if (report.state === "finished") {
      this.#over();
      this.#form.tell(`The session is over; it has ${report.finalCount} lines.`);
    } else if (report.state === "refused") {
      this.#capture.stop();
      this.#over();
      this.#form.warn(refusalWords(report.error));
    } else this.#form.report(progressWords(report), report.state === "lost", missingWords(report));
  }

  #over() {
    this.#worker?.terminate();
    this.#worker = null;
    keepAwake(false);
    this.#form.report("", false, "");
    this.#show();
  }

  #show() {
    this.#form.show({ isListening: this.#capture !== null, isSpeaking: this.isSpeaking, isEnding: false });
  }
}

const deviceWords = (error) => DEVICE_ERRORS[error.name] ?? `The microphone does not open: ${error.message}`;

function refusalWords({ reason, message }) {
  if (reason === "SESSION_TAKEN_OVER") return "Somebody else speaks into this session now. Start a new one, or talk to them.";
  if (reason === "SESSION_ENDED") return "The session was ended. Start a new one.";
  return `The session was refused: ${message} (${reason})`;
}

function progressWords({ state, waitingSamples, error, isEnding }) {
  const why = error ? `: ${error.message}` : "";
  if (state === "connecting") return `Connecting${why}`;
  if (state === "lost") {
    return `No connection${why}. It is tried again; ${seconds(waitingSamples)} are kept and sent then.`;
  }
  if (isEnding) return `Finishing: ${seconds(waitingSamples)} to send.`;
  return waitingSamples > SAMPLE_RATE_HERTZ ? `Speaking; ${seconds(waitingSamples)} behind.` : "Speaking.";
}

function missingWords({ missing, lostSamples }) {
  const never = missing.filter((gap) => !gap.reason);
  const parts = [];
  const samples = never.reduce((sum, gap) => sum + gap.nextSample - gap.firstSample, 0);
  if (samples > 0) parts.push(`${seconds(samples)} are missing from this session: they could not be sent.`);
  if (lostSamples > 0) parts.push(`${seconds(lostSamples)} were too old to keep and will be missing.`);
  return parts.join(" ");
}
