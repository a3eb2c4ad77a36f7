// Reads finals to people who use a screen reader: each line once, in its language.

import { element } from "../shared/dom.js";
import { direction } from "../shared/languages.js";

const KEPT_LINES = 5;

export class Announcer {
  #region;

  /** @param {HTMLElement} region a polite live region */
  constructor(region) {
    this.#region = region;
  }

  /** Has a final read out. */
  read({ segment_id: id, language, stable_text: text }) {
    const line = element("p", "", text);
    line.lang = language;
    line.dir = direction(language);
    line.dataset.segment = id;
    this.#region.append(line);
    while (this.#region.children.length > KEPT_LINES) this.#region.firstChild.remove();
  }

  /** Takes the texts of a segment away. */
  remove(id) {
    for (const line of [...this.#region.children]) if (Number(line.dataset.segment) === id) line.remove();
  }

  /** Takes every text away. */
  clear() {
    this.#region.replaceChildren();
  }
}
