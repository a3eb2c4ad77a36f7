// The newest audio, kept until the gateway has settled it. Pure.

export class AudioRing {
  #chunks = []; // {firstSample, samples}, in order
  #length = 0;
  #capacity;

  // Samples that are kept at most; when more come, the oldest go.
  constructor(capacity) {
    this.#capacity = capacity;
  }

  // The first sample that is kept; null when nothing is.
  get firstSample() {
    return this.#chunks[0]?.firstSample ?? null;
  }

  // Chunks come in order.
  push(firstSample, samples) {
    this.#chunks.push({ firstSample, samples });
    this.#length += samples.length;
    while (this.#length > this.#capacity) this.#shift();
  }

  forgetBelow(sample) {
    while (this.#chunks.length > 0 && end(this.#chunks[0]) <= sample) this.#shift();
  }

  // The chunk with this sample, cut so that it starts there; the one after it when that is gone or
  // never came; null when there is none.
  at(sample) {
    const chunk = this.#chunks[this.#indexOf(sample)];
    if (!chunk) return null;
    const skipped = Math.max(0, sample - chunk.firstSample);
    return { firstSample: chunk.firstSample + skipped, samples: chunk.samples.subarray(skipped) };
  }

  // Samples that are kept from this one on.
  lengthFrom(sample) {
    let length = 0;
    for (let index = this.#indexOf(sample); index < this.#chunks.length; index += 1) {
      length += end(this.#chunks[index]) - Math.max(sample, this.#chunks[index].firstSample);
    }
    return length;
  }

  // Index of the first chunk that ends above `sample`.
  #indexOf(sample) {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (end(this.#chunks[middle]) <= sample) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #shift() {
    this.#length -= this.#chunks.shift().samples.length;
  }
}

const end = ({ firstSample, samples }) => firstSample + samples.length;
