// A level meter: from -60 dBFS at its left to 0 at its right.

const LEFT_DBFS = -60;
const SILENT_DBFS = -90;
const QUIET_DBFS = -45;
const LOUD_DBFS = -3;

const share = (dbfs) => Math.max(0, Math.min(1, 1 - dbfs / LEFT_DBFS));

/** {level_dbfs, peak_dbfs} -> "-23 dBFS, peak -9: good" and the like. */
export function levelWords({ level_dbfs: level, peak_dbfs: peak }) {
  const verdict =
    peak > LOUD_DBFS ? "too loud" : peak < SILENT_DBFS ? "silence" : level < QUIET_DBFS ? "very quiet" : "good";
  return `${level.toFixed(0)} dBFS, peak ${peak.toFixed(0)}: ${verdict}`;
}

export class LevelMeter {
  #meter;
  #text;

  /** meter: role=meter with .bar and .peak in it; text: where the figures go. */
  constructor(meter, text) {
    this.#meter = meter;
    this.#text = text;
  }

  /** {level_dbfs, peak_dbfs} in decibels to full scale; null: no audio. */
  show(loudness) {
    const { level_dbfs: level, peak_dbfs: peak } = loudness ?? { level_dbfs: -100, peak_dbfs: -100 };
    const words = loudness ? levelWords(loudness) : "no audio";
    this.#meter.setAttribute("aria-valuenow", level.toFixed(0));
    this.#meter.setAttribute("aria-valuetext", words);
    this.#meter.dataset.isLoud = peak > LOUD_DBFS;
    this.#meter.querySelector(".bar").style.inlineSize = `${100 * share(level)}%`;
    this.#meter.querySelector(".peak").style.insetInlineStart = `${100 * share(peak)}%`;
    this.#text.textContent = words;
  }
}
