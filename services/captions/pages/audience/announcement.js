// An announcement of the operator's, as large as its place allows.

import { direction } from "../shared/languages.js";

const SIZES_VH = [8, 6.5, 5, 4, 3.2, 2.6, 2.1, 1.7, 1.4, 1.1];

/** Shows announcements in `place`, each whole. */
export class Announcement {
  #place;
  #width = 0;

  constructor(place) {
    this.#place = place;
    // The QR code beside it may come later than it, and the window may change.
    new ResizeObserver(() => {
      if (place.clientWidth !== this.#width) this.#fit();
    }).observe(place);
  }

  /** Shows the announcement of Captions' `screens`, or nothing when there is none. */
  paint({ announcement, language }) {
    const place = this.#place;
    place.hidden = !announcement;
    if (!announcement || place.textContent === announcement) return;
    place.textContent = announcement;
    place.lang = language;
    place.dir = language ? direction(language) : "auto";
    this.#fit();
  }

  #fit() {
    const place = this.#place;
    this.#width = place.clientWidth;
    for (const size of SIZES_VH) {
      place.style.fontSize = `${size}vh`;
      if (place.scrollHeight <= place.clientHeight + 1) return;
    }
  }
}
