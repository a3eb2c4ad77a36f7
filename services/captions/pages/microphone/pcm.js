// Samples as the gateway wants them, and how loud they are. Pure.

export const SAMPLE_RATE_HERTZ = 16_000;
export const CHUNK_SAMPLES = 1_600; // 100 ms

const FULL_SCALE = 32_768;
const QUIETEST_DBFS = -100;

// The channels of one block -> their mean; a view of the only one when there is one.
export function downmixed(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) {
    for (let index = 0; index < mono.length; index += 1) mono[index] += channel[index] / channels.length;
  }
  return mono;
}

// Floats in [-1, 1], what is louder cut -> Int16Array.
export function quantised(samples) {
  return Int16Array.from(samples, (each) =>
    Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(each * FULL_SCALE))),
  );
}

const decibels = (amplitude) => Math.max(QUIETEST_DBFS, 20 * Math.log10(Math.max(amplitude, 1e-9)));

// Int16Array -> {level_dbfs: root mean square, peak_dbfs: loudest sample}, -100 to 0.
export function loudness(samples) {
  let power = 0;
  let peak = 0;
  for (const each of samples) {
    power += each * each;
    peak = Math.max(peak, Math.abs(each));
  }
  const mean = Math.sqrt(power / Math.max(1, samples.length));
  return { level_dbfs: decibels(mean / FULL_SCALE), peak_dbfs: decibels(peak / FULL_SCALE) };
}

// Floats of any length in, whole chunks out, each with the number of its first sample.
export class Chunks {
  #pending = new Float32Array(0);
  #firstSample = 0; // of #pending

  // -> [{firstSample, samples: Int16Array}]
  take(samples) {
    const all = new Float32Array(this.#pending.length + samples.length);
    all.set(this.#pending);
    all.set(samples, this.#pending.length);
    const chunks = [];
    let start = 0;
    for (; start + CHUNK_SAMPLES <= all.length; start += CHUNK_SAMPLES) {
      chunks.push(this.#chunk(all.subarray(start, start + CHUNK_SAMPLES)));
    }
    this.#pending = all.slice(start);
    return chunks;
  }

  // What is left, as a shorter chunk -> [] or [chunk].
  flush() {
    if (this.#pending.length === 0) return [];
    const chunk = this.#chunk(this.#pending);
    this.#pending = new Float32Array(0);
    return [chunk];
  }

  // Counts samples that never came. Call it after flush().
  skip(count) {
    this.#firstSample += count;
  }

  #chunk(samples) {
    const chunk = { firstSample: this.#firstSample, samples: quantised(samples) };
    this.#firstSample += samples.length;
    return chunk;
  }
}
