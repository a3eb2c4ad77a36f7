// The lines of one column as elements: a line that was painted keeps its element, its words and its
// place among the others; all of them roll up together.

import { element } from "../shared/dom.js";
import { direction } from "../shared/languages.js";

const ROLL_MS = 260;

/** Paints lines in `list` and what is not committed yet in `draft`, both in `language`. */
export class Rolling {
  #list;
  #draft;
  #painted = new Map(); // key -> element
  #leaving = [];

  constructor(list, draft, language) {
    this.#list = list;
    this.#draft = draft;
    for (const each of [list, draft]) {
      each.lang = language;
      each.dir = direction(language);
    }
  }

  /** Paints Pacing's rows and the unstable text; what is the same already is not touched. */
  paint(rows, unstable) {
    this.#finishLeaving();
    const kept = new Set(rows.map((row) => row.key));
    const isFirst = this.#painted.size === 0; // then nothing is there that could roll
    for (const [key, painted] of this.#painted) {
      if (kept.has(key)) continue;
      this.#painted.delete(key);
      this.#leaving.push(painted);
    }
    const come = rows.filter((row) => !this.#painted.has(row.key)).map((row) => this.#add(row));
    for (const row of rows) fill(this.#painted.get(row.key), row);
    if (come.length > 0 && !isFirst) this.#roll(come.length);
    else this.#finishLeaving();
    if (this.#draft.textContent !== unstable) this.#draft.textContent = unstable;
  }

  #add(row) {
    const made = element("p", "line");
    made.dataset.segment = row.segmentId;
    this.#painted.set(row.key, made);
    this.#list.append(made);
    return made;
  }

  // What leaves goes with the others and is clipped at the top.
  #roll(count) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#finishLeaving();
      return;
    }
    const lineHeight = this.#list.lastElementChild.getBoundingClientRect().height;
    // The lines come through its place: two texts would stand in one.
    this.#draft.style.visibility = "hidden";
    const rolled = this.#list.animate(
      [{ transform: `translateY(${count * lineHeight}px)` }, { transform: "none" }],
      { duration: ROLL_MS, easing: "ease-out" },
    );
    rolled.addEventListener("finish", () => (this.#draft.style.visibility = ""));
    rolled.addEventListener("finish", () => this.#finishLeaving());
  }

  #finishLeaving() {
    for (const each of this.#leaving.splice(0)) each.remove();
  }
}

function fill(painted, { text, isCorrected }) {
  if (painted.textContent !== text) painted.textContent = text;
  painted.classList.toggle("corrected", isCorrected && text !== "");
}
