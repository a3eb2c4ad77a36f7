// The columns of a screen: which languages they show, how many lines there is room for, and the one timer
// that moves them all.

import { element } from "../shared/dom.js";
import { matches } from "../shared/languages.js";
import { Column } from "./column.js";

// Missed for longer than this, the newest lines are worth more than all of them late.
const LONGEST_CATCH_UP_MS = 60_000;
// setTimeout's own limit (HTML, timers: a signed 32-bit number).
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const now = () => performance.now();

/** Shows what Captions holds inside `host`, and follows its changes. */
export class Stage {
  #host;
  #captions;
  #options;
  #onChange;
  #columns = [];
  #isStarted = false;
  #delayBeforeMs = 0;
  #layout = "";
  #timer = 0;

  /**
   * `options`: {languages, lines, clearAfterMs, showsDrafts, isStacked}. A language is a tag, "source" for
   * the one that is spoken, or "target" for the first one that it is translated into. Languages stand
   * beside each other, or, when `isStacked`, one above the other.
   */
  constructor(host, captions, options, onChange = () => {}) {
    this.#host = host;
    this.#captions = captions;
    this.#options = options;
    this.#onChange = onChange;
    new ResizeObserver(() => this.#relayout()).observe(host);
  }

  /** The tags of the languages on the screen. */
  get languages() {
    return this.#columns.map((column) => column.language);
  }

  /** The tags that were asked for and that this session has no captions in. */
  get missingLanguages() {
    const { info } = this.#captions;
    if (!info) return [];
    const offered = [info.source_language, ...(info.target_languages ?? [])];
    return this.languages.filter((tag) => !offered.includes(tag));
  }

  /** Whether nothing is on the screen, and nothing waits to come. */
  get isEmpty() {
    return this.#columns.every((column) => column.isEmpty);
  }

  /** How far the screen is behind the speech. */
  get delayMs() {
    return Math.max(0, ...this.#columns.map((column) => column.delayMs(now())));
  }

  /** Takes other options, or another type: what is on the screen is broken into lines anew. */
  set(options) {
    this.#options = { ...this.#options, ...options };
    this.#layout = "";
    this.#arrange();
    this.#relayout();
  }

  /** A connection begins: what comes until it has caught up was missed. */
  noteOpened() {
    this.#delayBeforeMs = this.delayMs;
  }

  /** Takes what Captions.take said. */
  take(change) {
    // Another session, or this one from its beginning.
    if (change.all && change.info && !this.#captions.isCaughtUp) this.#clear();
    if (change.info) this.#arrange();
    if (change.caughtUp) this.#catchUp();
    else if (this.#isStarted && change.all) this.#each((column) => column.takeAll(now()));
    else if (this.#isStarted && change.segmentId !== undefined) {
      this.#each((column) => column.take(change.segmentId, now()));
    }
  }

  #catchUp() {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#start();
      return;
    }
    this.#each((column) => column.takeAll(now()));
    if (this.delayMs - this.#delayBeforeMs > LONGEST_CATCH_UP_MS) this.#start();
  }

  #start() {
    this.#each((column) => column.start(now()));
  }

  #clear() {
    this.#isStarted = false;
    this.#columns = [];
    this.#host.replaceChildren();
    this.#schedule();
  }

  // Makes the columns when the session's languages, or those that are wanted, are other ones.
  #arrange() {
    const tags = this.#tags();
    if (tags.join() === this.languages.join()) return;
    this.#host.style.setProperty("--columns", tags.length || 1);
    this.#host.dataset.columns = tags.length;
    const { rowLimit, layout } = this.#measure();
    this.#layout = layout;
    this.#columns = tags.map((tag) => new Column(tag, this.#captions, this.#columnOptions(rowLimit)));
    this.#host.replaceChildren(...this.#columns.map((column) => column.element));
    if (this.#isStarted) this.#start();
  }

  #tags() {
    const { info } = this.#captions;
    if (!info) return [];
    const source = info.source_language;
    const targets = info.target_languages ?? [];
    const tags = this.#options.languages.map((asked) => {
      if (asked === "source") return source;
      if (asked === "target") return targets[0] ?? source;
      return [...targets, source].find((tag) => matches(tag, asked)) ?? asked;
    });
    return [...new Set(tags.filter(Boolean))];
  }

  #columnOptions(rowLimit) {
    const { clearAfterMs, showsDrafts } = this.#options;
    return { rowLimit, clearAfterMs, showsDrafts };
  }

  // A screen that only grows or shrinks needs no new lines: the type grows with it.
  #relayout() {
    const { rowLimit, layout } = this.#measure();
    if (layout === this.#layout) return;
    this.#layout = layout;
    const options = this.#columnOptions(rowLimit);
    if (this.#isStarted) this.#each((column) => column.relayout(options, now()));
  }

  #measure() {
    const probe = element("p", "line", "x");
    this.#host.append(probe);
    const lineHeight = probe.getBoundingClientRect().height;
    const fontSize = parseFloat(getComputedStyle(probe).fontSize);
    probe.remove();
    const { lines, showsDrafts, isStacked, languages } = this.#options;
    const heightOfOne = this.#host.clientHeight / (isStacked ? languages.length : 1);
    // One line is left for what is not committed yet.
    const room = Math.floor(heightOfOne / lineHeight) - (showsDrafts ? 1 : 0);
    const rowLimit = Math.max(1, Math.min(lines, room));
    this.#host.style.setProperty("--rows", rowLimit);
    return { rowLimit, layout: `${rowLimit} ${(this.#host.clientWidth / fontSize).toFixed(1)}` };
  }

  #each(act) {
    for (const column of this.#columns) act(column);
    this.#schedule();
  }

  #schedule() {
    clearTimeout(this.#timer);
    const due = Math.min(...this.#columns.map((column) => column.nextAt), Infinity);
    if (due < Infinity) {
      const wait = Math.min(Math.max(0, due - now()), LONGEST_TIMER_MS);
      this.#timer = setTimeout(() => this.#each((column) => column.advance(now())), wait);
    }
    this.#onChange();
  }
}
