// The lines on the page: the newest ones of a session, in order, each with the original and its translation.

import { element, fillCaption } from "../shared/dom.js";

// An old phone lays out a few hundred lines well, and a service has thousands.
const WINDOW_LINES = 300;
const MORE_LINES = 300;
const SURPLUS_LINES = 50; // trimmed at once, not with every line

export class Transcript {
  #list;
  #earlier;
  #follower;
  #rows = new Map(); // key -> element; a segment's key is its id
  #limit = WINDOW_LINES;
  #firstKey = 0; // what is older is not on the page

  /**
   * @param {{list: HTMLElement, earlier: HTMLButtonElement}} view
   * @param {import("../shared/follower.js").Follower} follower
   */
  constructor({ list, earlier }, follower) {
    this.#list = list;
    this.#earlier = earlier;
    this.#follower = follower;
  }

  /** Shows more of what was said before; then paintAll. */
  showEarlier() {
    this.#limit += MORE_LINES;
  }

  /** Takes every line off the page. */
  clear() {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#earlier.hidden = true;
    this.#limit = WINDOW_LINES;
    this.#firstKey = 0;
  }

  get isEmpty() {
    return this.#rows.size === 0;
  }

  /**
   * Shows everything of `captions` that has its place on the page.
   * @param {import("../shared/captions.js").Captions} captions
   * @param {{source: string, target: string}} languages "": not shown
   */
  paintAll(captions, languages) {
    const segments = [...captions.segments.values()].filter((each) => isVisible(each, languages));
    segments.sort((a, b) => a.id - b.id);
    const shown = segments.slice(-this.#limit);
    this.#firstKey = shown.length < segments.length ? shown[0].id : 0;
    const keys = new Set(shown.map((each) => each.id));
    for (const key of captions.resets.map(dividerKey)) {
      if (key >= this.#firstKey) keys.add(key);
    }
    this.#follower.keepPlace(() => {
      for (const key of [...this.#rows.keys()]) if (!keys.has(key)) this.#remove(key);
      for (const segment of shown) this.#fill(segment, languages);
      for (const key of keys) if (!Number.isInteger(key)) this.#divide(key);
      this.#earlier.hidden = this.#firstKey === 0;
    });
  }

  /** Shows the segments with these ids as they are now. */
  paint(ids, captions, languages) {
    this.#follower.keepPlace(() => {
      for (const id of ids) {
        const segment = captions.segments.get(id);
        if (!segment || !isVisible(segment, languages)) this.#remove(id);
        else if (id >= this.#firstKey) this.#fill(segment, languages);
      }
      if (this.#follower.isFollowing) this.#trim();
    });
  }

  #trim() {
    if (this.#rows.size <= WINDOW_LINES + SURPLUS_LINES) return;
    while (this.#rows.size > WINDOW_LINES) this.#remove(Number(this.#list.firstElementChild.dataset.segment));
    this.#limit = WINDOW_LINES;
    this.#firstKey = Number(this.#list.firstElementChild.dataset.segment);
    this.#earlier.hidden = false;
  }

  #fill(segment, { source, target }) {
    let row = this.#rows.get(segment.id);
    if (!row) {
      row = element("article", "segment");
      row.append(element("p", "source"), element("p", "target"));
      this.#insert(segment.id, row);
    }
    const [sourceLine, targetLine] = row.children;
    fillCaption(sourceLine, source && segment.captions.get(source));
    fillCaption(targetLine, target && segment.captions.get(target));
  }

  // Where an operator began anew.
  #divide(key) {
    if (!this.#rows.has(key)) this.#insert(key, element("hr", "reset"));
  }

  #insert(key, row) {
    row.dataset.segment = key;
    this.#rows.set(key, row);
    let after = this.#list.lastElementChild;
    while (after && Number(after.dataset.segment) > key) after = after.previousElementSibling;
    if (after) after.after(row);
    else this.#list.prepend(row);
  }

  #remove(key) {
    this.#rows.get(key)?.remove();
    this.#rows.delete(key);
  }
}

// Between the last segment before the reset and the next one.
const dividerKey = (segmentId) => segmentId + 0.5;

function isVisible(segment, { source, target }) {
  return !segment.isHidden && [source, target].some((each) => each && segment.captions.has(each));
}
