// One session's audio over a WebSocket, through whatever happens to the connection: what the gateway
// has not settled is kept, and sent again where it asks. Without DOM: it runs in a worker.

import { AudioRing } from "./audio-ring.js";
import { SAMPLE_RATE_HERTZ } from "./pcm.js";

// The gateway waits two minutes for a speaker who is away; older audio helps nobody.
const KEPT_SAMPLES = 150 * SAMPLE_RATE_HERTZ;
// In the socket at once: more would only wait there, where it cannot be taken back.
const BUFFERED_BYTES = 256 * 1024;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5_000;
const ANSWER_TIMEOUT_MS = 20_000;
// The last translations may take half a minute.
const SETTLE_TIMEOUT_MS = 90_000;
const WATCH_MS = 1_000;
const FIRST_SAMPLE_BYTES = 8;

// Trying again brings the same answer.
const FINAL_REASONS = new Set([
  "AUDIO_AFTER_FINISH", "AUDIO_BEFORE_CONFIG", "CONFIG_REPEATED", "CHUNK_TOO_LARGE", "EMPTY_CHUNK", "GAP_TOO_LARGE",
  "INVALID_REQUEST", "INVALID_TARGET_LANGUAGES", "ODD_BYTE_COUNT", "PHRASE_TOO_LONG", "SAMPLES_BACKWARDS",
  "SESSION_ENDED", "SESSION_TAKEN_OVER", "SESSION_TOO_LONG", "TITLE_TOO_LONG", "TOO_MANY_PHRASES", "UNKNOWN_SESSION",
  "UNSUPPORTED_CHANNEL_COUNT", "UNSUPPORTED_ENCODING", "UNSUPPORTED_LANGUAGE", "UNSUPPORTED_SAMPLE_RATE",
]);

export class AudioLink {
  #url;
  #config;
  #onReport;
  #ring;
  #socket = null;
  #state = "connecting"; // "live", "lost", "finished", "refused"
  #error = null; // {reason, message}
  #sessionId;
  #origin = null; // the session's sample that take() calls 0
  #nextSample = 0; // to send
  #receivedSample = 0;
  #safeSample = 0;
  #missing = []; // {firstSample, nextSample, reason}
  #isEnded = false; // nothing more will be taken
  #isFinishSent = false;
  #finalCount = 0;
  #backoffMs = FIRST_BACKOFF_MS;
  #retryTimer = 0;
  #watchTimer = 0;
  #heardAt = 0; // when the other side answered last, or owes nothing

  // config: the fields of SessionConfig by their proto names, without `format`; with a session_id
  // an open session is gone on with. onReport is called with {state, ...} after each change.
  constructor({ url, config, onReport, keptSamples = KEPT_SAMPLES }) {
    this.#url = url;
    this.#config = config;
    this.#sessionId = config.session_id ?? "";
    this.#onReport = onReport;
    this.#ring = new AudioRing(keptSamples);
  }

  start() {
    this.#watchTimer = setInterval(() => this.#watch(), WATCH_MS);
    this.#connect();
  }

  // firstSample counts from 0 at the start of this link. Kept until the gateway has settled it.
  take(firstSample, samples) {
    if (this.#isOver) return;
    this.#ring.push(firstSample, samples);
    this.#pump();
  }

  // The speech is over: sends the rest, and waits until everything is settled.
  finish() {
    this.#isEnded = true;
    this.#pump();
  }

  get #isOver() {
    return this.#state === "finished" || this.#state === "refused";
  }

  // Samples of the session -> of this link's count.
  #own = (sample) => Number(sample ?? 0) - this.#origin;

  // ---- The connection -----------------------------------------------------------------------

  #connect() {
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heardAt = Date.now();
    socket.onopen = () => {
      const { session_id: _, ...config } = this.#config;
      socket.send(JSON.stringify(this.#sessionId ? { ...config, session_id: this.#sessionId } : config));
    };
    socket.onmessage = ({ data }) => this.#socket === socket && this.#hear(JSON.parse(data));
    socket.onclose = () => this.#socket === socket && this.#lose();
  }

  #lose() {
    this.#socket = null;
    if (this.#isOver) return;
    this.#state = "lost";
    this.#report();
    this.#retryTimer = setTimeout(() => this.#connect(), this.#backoffMs * (0.5 + Math.random() / 2));
    this.#backoffMs = Math.min(2 * this.#backoffMs, LONGEST_BACKOFF_MS);
  }

  #drop() {
    const socket = this.#socket;
    socket?.close();
    this.#lose();
  }

  // A connection that died without a word is noticed by what it owes.
  #watch() {
    const owes = this.#state !== "live" || this.#nextSample > this.#receivedSample || this.#isFinishSent;
    if (!owes) this.#heardAt = Date.now();
    const timeoutMs = this.#isFinishSent ? SETTLE_TIMEOUT_MS : ANSWER_TIMEOUT_MS;
    if (this.#socket && Date.now() - this.#heardAt > timeoutMs) this.#drop();
    this.#pump();
    this.#report();
  }

  // ---- What comes ---------------------------------------------------------------------------

  #hear(message) {
    this.#heardAt = Date.now();
    if (message.error) this.#refuse(message.error);
    else if (message.session_opened) this.#open(message.session_opened);
    else if (message.receipt) this.#settle(message.receipt);
    else if (message.audio_gap) this.#note(message.audio_gap);
    else if (message.session_closed) this.#end("finished", Number(message.session_closed.final_count ?? 0));
  }

  #open(opened) {
    this.#sessionId = opened.session_id;
    this.#origin ??= Number(opened.next_sample ?? 0);
    this.#nextSample = this.#own(opened.next_sample);
    this.#receivedSample = this.#nextSample;
    this.#isFinishSent = false;
    this.#state = "live";
    this.#error = null;
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#pump();
    this.#report();
  }

  #settle(receipt) {
    this.#receivedSample = this.#own(receipt.received_sample);
    this.#safeSample = this.#own(receipt.safe_sample);
    this.#ring.forgetBelow(this.#safeSample);
    this.#pump();
    this.#report();
  }

  #note(gap) {
    const [firstSample, nextSample] = [this.#own(gap.first_sample), this.#own(gap.next_sample)];
    this.#missing = [...this.#missing, { firstSample, nextSample, reason: gap.reason ?? "" }].slice(-100);
    this.#report();
  }

  #refuse(error) {
    // The answer to an earlier end may have been lost with its connection.
    if (error.reason === "SESSION_ENDED" && this.#isEnded) this.#end("finished", this.#finalCount);
    else if (FINAL_REASONS.has(error.reason)) this.#end("refused", this.#finalCount, error);
    else this.#error = error; // the close that follows tries again
  }

  #end(state, finalCount, error = null) {
    this.#state = state;
    this.#finalCount = finalCount;
    this.#error = error;
    clearInterval(this.#watchTimer);
    clearTimeout(this.#retryTimer);
    this.#socket?.close();
    this.#report();
  }

  // ---- What goes ----------------------------------------------------------------------------

  #pump() {
    const socket = this.#socket;
    if (this.#state !== "live" || socket?.readyState !== WebSocket.OPEN) return;
    let chunk = this.#ring.at(this.#nextSample);
    while (chunk && socket.bufferedAmount < BUFFERED_BYTES) {
      socket.send(this.#message(chunk));
      this.#nextSample = chunk.firstSample + chunk.samples.length;
      chunk = this.#ring.at(this.#nextSample);
    }
    if (!chunk && this.#isEnded && !this.#isFinishSent) {
      socket.send(JSON.stringify({ finish: true }));
      this.#isFinishSent = true;
    }
  }

  // The session's number of the first sample in eight bytes, then the samples; all little-endian.
  #message({ firstSample, samples }) {
    const bytes = new ArrayBuffer(FIRST_SAMPLE_BYTES + samples.byteLength);
    const view = new DataView(bytes);
    view.setBigInt64(0, BigInt(firstSample + this.#origin), true);
    samples.forEach((each, index) => view.setInt16(FIRST_SAMPLE_BYTES + 2 * index, each, true));
    return bytes;
  }

  #report() {
    const wanted = this.#state === "live" ? this.#nextSample : this.#receivedSample;
    this.#onReport({
      state: this.#state,
      error: this.#error,
      sessionId: this.#sessionId,
      waitingSamples: this.#ring.lengthFrom(this.#nextSample),
      // What had to make room before it was sent, and will be a gap.
      lostSamples: Math.max(0, (this.#ring.firstSample ?? wanted) - wanted),
      receivedSample: this.#receivedSample,
      missing: this.#missing,
      finalCount: this.#finalCount,
      isEnding: this.#isEnded,
    });
  }
}
