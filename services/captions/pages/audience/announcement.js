// An announcement of the operator's, as large as its place allows.

import { direction } from "../shared/languages.js";

const SIZES_VH = [8, 6.5, 5, 4, 3.2, 2.6, 2.1, 1.7, 1.4, 1.1];

/** Shows the announcement of `screens` whole in `place`, or hides it when there is none. */
export function fitAnnouncement(place, { announcement, language }) {
  place.hidden = !announcement;
  if (!announcement || place.textContent === announcement) return;
  place.textContent = announcement;
  place.lang = language;
  place.dir = language ? direction(language) : "auto";
  for (const size of SIZES_VH) {
    place.style.fontSize = `${size}vh`;
    if (place.scrollHeight <= place.clientHeight + 1) return;
  }
}
