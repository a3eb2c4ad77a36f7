// On the audio thread: from the blocks of a microphone to chunks of 100 ms and their level. It goes
// on when the page is in the background, or busy.

import { Chunks, SAMPLE_RATE_HERTZ, downmixed, loudness } from "./pcm.js";
import { Resampler } from "./resampler.js";

class Capture extends AudioWorkletProcessor {
  #resampler = sampleRate === SAMPLE_RATE_HERTZ ? null : new Resampler(sampleRate, SAMPLE_RATE_HERTZ);
  #chunks = new Chunks();
  #sink = null; // where the chunks go while somebody speaks
  #missingFrames = 0; // blocks without a microphone, in frames of this context
  #isOpen = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#obey(data);
  }

  process([channels]) {
    if (channels.length === 0) {
      this.#miss();
      return this.#isOpen;
    }
    this.#afterMissing();
    const mono = downmixed(channels);
    for (const chunk of this.#chunks.take(this.#resampler ? this.#resampler.take(mono) : mono)) {
      this.port.postMessage(loudness(chunk.samples));
      this.#send(chunk);
    }
    return this.#isOpen;
  }

  // {sink}: chunks go there, counted from 0. {missingMs}: the context stood still so long.
  // {end}: no more chunks. {close}: no more of anything.
  #obey({ sink, missingMs, end, close }) {
    if (sink) {
      this.#chunks = new Chunks();
      this.#resampler?.reset();
      this.#missingFrames = 0;
      this.#sink = sink;
    }
    if (missingMs) {
      this.#miss();
      this.#missingFrames += (missingMs / 1000) * sampleRate;
    }
    if (end) {
      for (const chunk of this.#chunks.flush()) this.#send(chunk);
      this.#sink?.postMessage({ isEnd: true });
      this.#sink = null;
    }
    if (close) this.#isOpen = false;
  }

  #miss() {
    if (this.#missingFrames === 0) for (const chunk of this.#chunks.flush()) this.#send(chunk);
    this.#missingFrames += 128;
  }

  // What never came is a jump in the count: silence in its place would be untrue.
  #afterMissing() {
    if (this.#missingFrames === 0) return;
    this.#chunks.skip(Math.round((this.#missingFrames / sampleRate) * SAMPLE_RATE_HERTZ));
    this.#missingFrames = 0;
    this.#resampler?.reset();
  }

  // The samples are gone then.
  #send(chunk) {
    this.#sink?.postMessage(chunk, [chunk.samples.buffer]);
  }
}

registerProcessor("glossa-capture", Capture);
