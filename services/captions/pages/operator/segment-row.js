// One segment on the desk: its texts, how good and how fast each is, and what was compared with it.

import { element, fillCaption } from "../shared/dom.js";
import { languageName } from "../shared/languages.js";
import { flagWords, quality } from "./quality.js";

/** "1:02:03" from milliseconds. */
export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = [minutes, seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
  return hours > 0 ? `${hours}:${rest}` : rest;
}

export const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

export class SegmentRow {
  #cells = new Map(); // language -> Cell
  #time;
  #hide;
  #state;
  #texts;

  /** `onHide(segmentId, isHidden)`, `onEdit(cell)` when a person asks for it. */
  constructor(id, { onHide, onEdit }) {
    this.id = id;
    this.onEdit = onEdit;
    this.element = element("li", "segment");
    this.element.dataset.segment = id;
    const meta = element("div", "meta");
    this.#time = element("span", "time");
    this.#state = element("span", "state");
    this.#hide = element("button", "quiet");
    this.#hide.type = "button";
    this.#hide.addEventListener("click", () => onHide(id, !this.isHidden));
    meta.append(this.#time, this.#state, this.#hide);
    this.#texts = element("div", "texts");
    this.element.append(meta, this.#texts);
  }

  /** Shows the segment in these languages, the source's first. */
  render(segment, languages) {
    this.isHidden = segment.isHidden;
    this.element.dataset.start = segment.startMs;
    this.element.classList.toggle("hidden", segment.isHidden);
    this.#time.textContent = clock(segment.startMs);
    this.#state.textContent = segment.isHidden ? "hidden from all screens" : "";
    const isFinal = [...segment.lines.values()].some((line) => line.is_final);
    this.#hide.hidden = !isFinal;
    this.#hide.textContent = segment.isHidden ? "Show again" : "Hide";
    this.#hide.setAttribute("aria-label", `${this.#hide.textContent} the line at ${clock(segment.startMs)}`);
    for (const [index, language] of languages.entries()) {
      const line = segment.lines.get(language);
      const failure = segment.failures.get(language);
      let cell = this.#cells.get(language);
      if (!cell && (line || failure)) {
        cell = new Cell(this, language, index === 0);
        this.#cells.set(language, cell);
        this.#place(cell, languages);
      }
      cell?.render(line, segment.alternatives.get(language), failure);
    }
  }

  #place(cell, languages) {
    const after = languages.slice(languages.indexOf(cell.language) + 1).map((each) => this.#cells.get(each)?.element);
    this.#texts.insertBefore(cell.element, after.find(Boolean) ?? null);
  }
}

/** A segment's text in one language. */
class Cell {
  line = null;
  #figures;
  #other = null; // the second runtime's

  constructor(row, language, isSource) {
    this.row = row;
    this.language = language;
    this.isSource = isSource;
    this.element = element("div", isSource ? "cell source" : "cell target");
    this.element.dataset.language = language;
    this.text = element("button", "text");
    this.text.type = "button";
    this.text.setAttribute("aria-describedby", "edit-hint");
    this.text.addEventListener("click", () => this.line?.is_final && row.onEdit(this));
    this.#figures = element("p", "figures");
    this.element.append(element("span", "language", languageName(language)), this.text, this.#figures);
    this.editor = null; // while somebody edits it
  }

  render(line, alternative, failure) {
    this.line = line ?? null;
    fillCaption(this.text, line);
    this.text.disabled = !line?.is_final;
    this.#figures.replaceChildren(...this.#chips(line, failure));
    this.#compare(alternative);
    this.editor?.notice(line);
  }

  #chips(line, failure) {
    if (failure && !line) return [chip("poor", "■", `not translated (${failure})`)];
    if (!line?.is_final) return [];
    const chips = [];
    if (this.isSource) {
      for (const flag of line.flags) chips.push(chip("doubtful", "▲", flagWords(flag)));
    } else {
      const { level, shape, label, detail, doubts } = quality(line.signals, line.flags);
      const main = chip(level, shape, label);
      main.title = detail;
      chips.push(main, ...doubts.map((words) => chip("doubtful", "▲", words)));
    }
    if (line.is_corrected) chips.push(element("span", "chip", `corrected by ${line.author || "a person"}`));
    if (line.engine_ms) chips.push(element("span", "latency", seconds(line.engine_ms)));
    return chips;
  }

  #compare(alternative) {
    if (!alternative) return;
    if (!this.#other) {
      this.#other = element("div", "alternative");
      this.#other.append(element("span", "runtime", "B"), element("p", "text"), element("p", "figures"));
      this.element.append(this.#other);
    }
    const [runtime, text, figures] = this.#other.children;
    runtime.title = `${alternative.model}: compared, never shown`;
    fillCaption(text, alternative);
    figures.replaceChildren(
      element("span", "latency", seconds(alternative.engine_ms)),
      ...alternative.flags.map((flag) => chip("doubtful", "▲", flagWords(flag))),
    );
  }
}

function chip(level, shape, words) {
  const made = element("span", "chip");
  made.dataset.level = level;
  const sign = element("span", "shape", shape);
  sign.setAttribute("aria-hidden", "true");
  made.append(sign, ` ${words}`);
  return made;
}
