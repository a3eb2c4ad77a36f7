// One language on a screen that rolls: finals are committed and paced, what comes before them is shown
// below, dim, while nothing waits.

import { element } from "../shared/dom.js";
import { joint } from "../shared/languages.js";
import { LineBreaker } from "./breaking.js";
import { Pacing } from "./pacing.js";
import { Rolling } from "./rolling.js";

/** Takes the state of a session (Captions) as it changes; `element` is to be put on the page. */
export class Column {
  #language;
  #captions;
  #options;
  #rows = element("div", "rows");
  #draft = element("p", "draft");
  #ruler = element("p", "ruler");
  #breaker = new LineBreaker(this.#ruler);
  #rolling;
  #pacing;
  #texts = new Map(); // segment id -> text that was committed
  #open = new Map(); // segment id -> text that is not final yet

  /** `options`: {rowLimit, clearAfterMs, showsDrafts}. */
  constructor(language, captions, options) {
    this.#language = language;
    this.#captions = captions;
    this.#options = options;
    this.element = element("section", "column");
    this.#ruler.ariaHidden = "true";
    this.element.append(this.#ruler, this.#rows, this.#draft);
    this.#rolling = new Rolling(this.#rows, this.#draft, language);
    this.#pacing = new Pacing(options);
  }

  get language() {
    return this.#language;
  }

  get nextAt() {
    return this.#pacing.nextAt();
  }

  /** Whether nothing is on the screen and nothing waits. */
  get isEmpty() {
    return this.#pacing.rows.length === 0 && !this.#pacing.isBehind && !this.#unstable();
  }

  delayMs(now) {
    return this.#pacing.delayMs(now);
  }

  /** Begins with the newest lines of what was said before, as a screen that joins late does. */
  start(now) {
    this.#begin(this.#finals(), now);
    this.#findOpen();
    this.#paint(now);
  }

  /** Breaks everything anew for another width or number of lines; nothing that waits is lost. */
  relayout(options, now) {
    this.#options = options;
    const waiting = this.#pacing.waitingIds;
    const finals = this.#finals();
    this.#begin(finals.filter(({ id }) => !waiting.has(id)), now);
    for (const final of finals) if (waiting.has(final.id)) this.#commit(final, now);
    this.#paint(now);
  }

  /** Takes what is new of every segment. */
  takeAll(now) {
    this.#pacing.reset(this.#captions.resetSegmentId);
    for (const segment of this.#captions.segments.values()) this.#take(segment, now);
    this.#findOpen();
    this.#paint(now);
  }

  /** Takes what is new of one segment. */
  take(segmentId, now) {
    const segment = this.#captions.segments.get(segmentId);
    if (segment) this.#take(segment, now);
    else this.#open.delete(segmentId);
    this.#paint(now);
  }

  /** Does what is due at `now`. */
  advance(now) {
    this.#pacing.advance(now);
    this.#paint(now);
  }

  // Segments whose text is firm, in their order; of a hidden one there is none.
  #finals() {
    const { segments, resetSegmentId } = this.#captions;
    return [...segments.values()]
      .map(({ id, isHidden, captions }) => ({ id, isHidden, caption: captions.get(this.#language) }))
      .filter(({ id, isHidden, caption }) => id > resetSegmentId && (isHidden || caption?.is_final))
      .sort((one, other) => one.id - other.id);
  }

  #begin(finals, now) {
    this.#draft.hidden = !this.#options.showsDrafts;
    this.#rows.replaceChildren();
    this.#rolling = new Rolling(this.#rows, this.#draft, this.#language);
    this.#pacing = new Pacing(this.#options);
    this.#pacing.reset(this.#captions.resetSegmentId);
    this.#texts.clear();
    let room = this.#options.rowLimit;
    const segments = [];
    for (const { id, isHidden, caption } of finals.reverse()) {
      const lines = room > 0 && !isHidden ? this.#lines(id, caption) : [];
      room -= lines.length;
      if (!isHidden) this.#texts.set(id, caption.stable_text);
      segments.unshift({ segmentId: id, lines, isCorrected: Boolean(caption?.is_corrected) });
    }
    this.#pacing.start(segments, now);
  }

  #take({ id, isHidden, captions }, now) {
    const caption = captions.get(this.#language);
    this.#noteOpen(id, caption);
    if (isHidden) {
      this.#pacing.hide(id);
      this.#texts.delete(id);
    } else if (caption?.is_final && this.#texts.get(id) !== caption.stable_text) {
      this.#commit({ id, caption }, now);
    }
  }

  #commit({ id, caption }, now) {
    this.#texts.set(id, caption.stable_text);
    const lines = this.#lines(id, caption);
    if (lines.length > 0) this.#pacing.take(id, lines, now, { isCorrected: caption.is_corrected });
    else this.#pacing.hide(id);
    this.#pacing.advance(now);
  }

  #lines(id, caption) {
    return this.#breaker.break(caption.stable_text, this.#language, this.#pacing.lineCount(id));
  }

  #findOpen() {
    this.#open.clear();
    for (const { id, captions } of this.#captions.segments.values()) {
      this.#noteOpen(id, captions.get(this.#language));
    }
  }

  #noteOpen(id, caption) {
    if (!caption || caption.is_final) this.#open.delete(id);
    else {
      const texts = [caption.stable_text.trimEnd(), caption.unstable_text.trimStart()];
      this.#open.set(id, texts.filter(Boolean).join(joint(this.#language)));
    }
  }

  #unstable() {
    if (!this.#options.showsDrafts || this.#pacing.isBehind || this.#open.size === 0) return "";
    return this.#open.get(Math.max(...this.#open.keys()));
  }

  #paint(now) {
    const unstable = this.#unstable();
    if (unstable && unstable !== this.#draft.textContent) this.#pacing.touch(now);
    this.#rolling.paint(this.#pacing.rows, unstable);
  }
}
