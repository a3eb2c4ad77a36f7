// Changes the sample rate of a stream by a windowed sinc. Pure.

// Kaiser's formulas (Oppenheim & Schafer, Discrete-Time Signal Processing, 7.5) for 80 dB.
const ATTENUATION_DB = 80;
const BETA = 0.1102 * (ATTENUATION_DB - 8.7);
// Of the lower of the two rates: what is above half of it must be gone, or it comes back as another
// tone.
const PASS = 0.45;
const STOP = 0.5;

const gcd = (a, b) => (b === 0 ? a : gcd(b, a % b));

// The modified Bessel function of the first kind, order 0.
function bessel(x) {
  let sum = 1;
  for (let term = 1, k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

export class Resampler {
  #steps; // input steps of 1 / phases between two outputs
  #phases;
  #taps;
  #table; // one filter a phase
  #pending = new Float32Array(0); // input that later outputs still need
  #position = 0; // of the next output, in steps of 1 / phases from the start of #pending

  // Both rates in hertz, whole numbers.
  constructor(from, to) {
    const divisor = gcd(from, to);
    this.#phases = to / divisor;
    this.#steps = from / divisor;
    const lower = Math.min(from, to);
    const width = (2 * Math.PI * (STOP - PASS) * lower) / from;
    this.#taps = 2 * Math.ceil((ATTENUATION_DB - 8) / (2.285 * width) / 2);
    this.#table = this.#filters((((STOP + PASS) / 2) * lower) / from);
    this.reset();
  }

  // Forgets what came before: what comes next does not go on from it.
  reset() {
    this.#pending = new Float32Array(this.#taps / 2 - 1); // silence before the first sample
    this.#position = 0;
  }

  // Mono Float32Array in, as much of the output as is settled by it out.
  take(samples) {
    const input = new Float32Array(this.#pending.length + samples.length);
    input.set(this.#pending);
    input.set(samples, this.#pending.length);
    const last = input.length - this.#taps;
    const output = [];
    let start = Math.floor(this.#position / this.#phases);
    while (start <= last) {
      const filter = (this.#position % this.#phases) * this.#taps;
      let sum = 0;
      for (let tap = 0; tap < this.#taps; tap += 1) sum += input[start + tap] * this.#table[filter + tap];
      output.push(sum);
      this.#position += this.#steps;
      start = Math.floor(this.#position / this.#phases);
    }
    const spent = Math.min(start, input.length);
    this.#pending = input.subarray(spent);
    this.#position -= spent * this.#phases;
    return Float32Array.from(output);
  }

  // Cycles a sample at which half is let through -> phases * taps coefficients. Each phase's sum is
  // 1, so that a steady input stays as it is.
  #filters(cutoff) {
    const half = this.#taps / 2;
    const table = new Float32Array(this.#phases * this.#taps);
    for (let phase = 0; phase < this.#phases; phase += 1) {
      const filter = table.subarray(phase * this.#taps, (phase + 1) * this.#taps);
      let sum = 0;
      for (let tap = 0; tap < this.#taps; tap += 1) {
        const distance = tap - (half - 1) - phase / this.#phases;
        const x = 2 * Math.PI * cutoff * distance;
        const sinc = x === 0 ? 1 : Math.sin(x) / x;
        const window = bessel(BETA * Math.sqrt(Math.max(0, 1 - (distance / half) ** 2)));
        filter[tap] = sinc * window;
        sum += filter[tap];
      }
      for (let tap = 0; tap < this.#taps; tap += 1) filter[tap] /= sum;
    }
    return table;
  }
}
