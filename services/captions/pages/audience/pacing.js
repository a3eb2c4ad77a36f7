// When committed words come onto a screen and when lines may leave it. No DOM and no clock: `now` is
// always an argument, in milliseconds of any clock that only goes forward.
//
// - A line comes as a whole, once the line before it could be read at 180 words a minute.
// - A line leaves for one that comes, once it could be read and has stood for a moment.
// - What cannot come yet waits, in the order of the speech; nothing is dropped.
// - A line on the screen keeps its place and its words. A correction takes the places of the lines
//   that it replaces; a hidden line leaves its place empty.

// The upper end of what broadcasters let subtitles run at: BBC Subtitle Guidelines, "Timing".
export const WORDS_PER_MINUTE = 180;
const WORD_MS = 60_000 / WORDS_PER_MINUTE;
// Whoever looks up must find the line, however few words it has.
export const SHORTEST_STAY_MS = 1500;

export class Pacing {
  #rowLimit;
  #clearAfterMs;
  #rows = []; // on the screen, the oldest first
  #waiting = []; // lines that come, in their order
  #segments = new Map(); // id -> {left}: its lines that have left; for those not all gone
  #gone = new Set(); // ids whose every line has left
  #resetThrough = 0;
  #mayComeAt = -Infinity;
  #lastWordsAt = -Infinity;
  #nextKey = 1;

  // Takes `rowLimit` lines at once; empties the screen `clearAfterMs` after its last words.
  constructor({ rowLimit, clearAfterMs = Infinity }) {
    this.#rowLimit = rowLimit;
    this.#clearAfterMs = clearAfterMs;
  }

  // The lines on the screen: {key, segmentId, text, isCorrected}; an empty text is a hidden line.
  get rows() {
    return this.#rows;
  }

  get isBehind() {
    return this.#waiting.length > 0;
  }

  // The segments of which something has not come yet.
  get waitingIds() {
    return new Set(this.#waiting.map((line) => line.segmentId));
  }

  // How long the last word that waits will wait, when nothing more is said.
  delayMs(now) {
    if (!this.isBehind) return 0;
    const before = this.#waiting.slice(0, -1).reduce((sum, line) => sum + readingMs(line), 0);
    return Math.max(0, this.nextAt() - now) + before;
  }

  // When `advance` will have something to do; Infinity while there is nothing.
  nextAt() {
    if (this.isBehind) {
      const isFull = this.#rows.length >= this.#rowLimit;
      return Math.max(this.#mayComeAt, isFull ? mayLeaveAt(this.#rows[0]) : -Infinity);
    }
    if (this.#rows.length === 0) return Infinity;
    const last = Math.max(...this.#rows.map(mayLeaveAt));
    return Math.max(this.#lastWordsAt + this.#clearAfterMs, last);
  }

  // How many lines a segment was broken into, for a correction that is to take their places; 0: none.
  lineCount(segmentId) {
    const segment = this.#segments.get(segmentId);
    const isOf = (line) => line.segmentId === segmentId;
    return segment ? segment.left + this.#rows.filter(isOf).length + this.#waiting.filter(isOf).length : 0;
  }

  // Takes the whole text of a segment, as lines of {text, words}: a new one, or one that replaces it.
  take(segmentId, lines, now, { isCorrected = false } = {}) {
    if (segmentId <= this.#resetThrough || this.#gone.has(segmentId) || lines.length === 0) return;
    const made = lines.map((line, index) => ({ ...line, segmentId, index, isCorrected }));
    if (!this.#segments.has(segmentId)) {
      this.#segments.set(segmentId, { left: 0 });
      this.#enqueue(made);
    } else {
      this.#replace(segmentId, made, now);
    }
  }

  // Shows the newest lines of what was said before, all at once: for a screen that joins late.
  // Segments without lines are those that it has no room for.
  start(segments, now) {
    const lines = segments.flatMap(({ segmentId, lines, isCorrected = false }) =>
      lines.map((line, index) => ({ ...line, segmentId, index, isCorrected })),
    );
    const first = Math.max(0, lines.length - this.#rowLimit);
    for (const { segmentId } of segments) this.#segments.set(segmentId, { left: 0 });
    for (const line of lines.slice(0, first)) this.#countLeft(line);
    for (const line of lines.slice(first)) this.#show(line, now);
    for (const { segmentId } of segments) this.#forgetWhenGone(segmentId);
  }

  // Takes a segment off the screen at once; its places stay empty, so that no other line moves.
  hide(segmentId) {
    this.#waiting = this.#waiting.filter((line) => line.segmentId !== segmentId);
    for (const row of this.#rows) if (row.segmentId === segmentId) empty(row);
  }

  // Empties the screen of everything up to a segment, what waits included.
  reset(segmentId) {
    this.#resetThrough = Math.max(this.#resetThrough, segmentId);
    const isLater = (line) => line.segmentId > segmentId;
    this.#rows = this.#rows.filter(isLater);
    this.#waiting = this.#waiting.filter(isLater);
    for (const id of [...this.#segments.keys(), ...this.#gone]) {
      if (id > segmentId) continue;
      this.#segments.delete(id);
      this.#gone.delete(id);
    }
  }

  // Words that are not committed were seen: the screen is not to be emptied yet.
  touch(now) {
    this.#lastWordsAt = Math.max(this.#lastWordsAt, now);
  }

  // Brings the line that may come, at most one a call, or empties a screen that is silent. Returns
  // whether rows changed.
  advance(now) {
    if (now < this.nextAt()) return false;
    if (this.isBehind) {
      this.#leave(this.#rowLimit - 1);
      this.#show(this.#waiting.shift(), now);
    } else {
      this.#leave(0);
    }
    return true;
  }

  #enqueue(lines) {
    // A late segment goes before later ones, but never between the lines of another.
    const at = this.#waiting.findIndex(
      (line) => line.segmentId > lines[0].segmentId && line.index === 0,
    );
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, ...lines);
  }

  #show(line, now) {
    const before = this.#rows.at(-1);
    const begins = Math.max(now, before?.readAt ?? -Infinity);
    const row = { ...line, key: this.#nextKey++, cameAt: now, readAt: begins + readingMs(line) };
    this.#rows.push(row);
    this.#mayComeAt = now + readingMs(line);
    this.touch(now);
  }

  #leave(keep) {
    const leaving = this.#rows.splice(0, Math.max(0, this.#rows.length - keep));
    for (const row of leaving) this.#countLeft(row);
    for (const row of leaving) this.#forgetWhenGone(row.segmentId);
  }

  #countLeft({ segmentId }) {
    const segment = this.#segments.get(segmentId);
    if (segment) segment.left += 1;
  }

  #forgetWhenGone(segmentId) {
    const isOf = (line) => line.segmentId === segmentId;
    if (this.#rows.some(isOf) || this.#waiting.some(isOf)) return;
    if (!this.#segments.delete(segmentId)) return;
    this.#gone.add(segmentId);
  }

  #replace(segmentId, lines, now) {
    const { left } = this.#segments.get(segmentId);
    const isOf = (line) => line.segmentId === segmentId;
    const places = this.#rows.filter(isOf);
    this.#waiting = this.#waiting.filter((line) => !isOf(line));
    if (places.length === 0) {
      const rest = lines.slice(left);
      if (left === 0) this.#enqueue(lines);
      else if (rest.length > 0) this.#waiting.unshift(...rest);
      else this.#forgetWhenGone(segmentId);
      return;
    }
    // Words that have moved into lines which left are shown once more rather than not at all.
    const first = Math.min(left, lines.length - 1);
    const fits = lines.length - first <= places.length;
    if (fits || isOf(this.#rows.at(-1))) {
      this.#fill(places, lines.slice(first, first + places.length), now);
      this.#waiting.unshift(...lines.slice(first + places.length));
    } else {
      // No room where it stood: it comes again, as a whole.
      places.forEach(empty);
      this.#segments.get(segmentId).left = 0;
      for (const row of places) row.segmentId = NOBODY;
      this.#waiting.unshift(...lines);
    }
  }

  // Puts lines in place of others; what changed wants reading again.
  #fill(places, lines, now) {
    let readAt = now;
    places.forEach((row, index) => {
      const line = lines[index];
      if (!line) empty(row);
      else if (line.text !== row.text) {
        readAt += readingMs(line);
        Object.assign(row, line, { cameAt: now, readAt: Math.max(row.readAt, readAt) });
      }
    });
    this.#mayComeAt = Math.max(this.#mayComeAt, now) + (readAt - now);
    this.touch(now);
  }
}

const NOBODY = -1; // segments count from 1

const readingMs = (line) => line.words * WORD_MS;

const mayLeaveAt = (row) => (row.text ? Math.max(row.readAt, row.cameAt + SHORTEST_STAY_MS) : -Infinity);

function empty(row) {
  row.text = "";
  row.words = 0;
}
