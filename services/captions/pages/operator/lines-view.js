// All lines of a session, oldest first. Follows the end, unless somebody went back to read or edits.

import { element } from "../shared/dom.js";
import { LineEditor } from "./line-editor.js";
import { SegmentRow, clock, seconds } from "./segment-row.js";
import { Follower } from "../shared/follower.js";
import { languageName } from "../shared/languages.js";

const byId = (id) => document.getElementById(id);
const view = {
  empty: byId("empty"),
  lines: byId("lines"),
  pane: byId("lines-pane"),
  timings: byId("timings"),
  toLive: byId("to-live"),
};

export class LinesView {
  #session = null; // JournalSession
  #rows = new Map();
  #dirty = new Set(); // ids to paint in the next frame
  #actions;
  #follower;

  /** actions: {correct(segmentId, language, text), hide(segmentId, isHidden)}; both say themselves how it went. */
  constructor(actions) {
    this.#actions = actions;
    this.#follower = new Follower(view.pane, view.lines, view.toLive, () => this.hasDraft);
  }

  /** Whether an edit would be lost. */
  get hasDraft() {
    return [...view.lines.querySelectorAll(".editor textarea")].length > 0;
  }

  /** Shows another session, or this one from its beginning. */
  show(session) {
    this.#session = session;
    this.#rows.clear();
    this.#dirty.clear();
    view.lines.replaceChildren();
    view.empty.hidden = false;
    this.#follower.follow();
  }

  /** What JournalSession.take said. */
  change({ segmentId, note, frame }) {
    if (segmentId !== undefined) this.#mark(segmentId);
    if (frame) for (const id of this.#session.segments.keys()) this.#mark(id);
    if (note) this.#addNote(note);
  }

  // Hundreds of events come at once when a session is opened: one painting is enough.
  #mark(segmentId) {
    if (this.#dirty.size === 0) requestAnimationFrame(() => this.#paint());
    this.#dirty.add(segmentId);
  }

  #paint() {
    const focused = document.activeElement;
    this.#follower.keepPlace(() => {
      for (const id of this.#dirty) this.#paintSegment(id);
      this.#paintTimings();
      view.empty.hidden = view.lines.children.length > 0;
      if (focused !== document.activeElement && focused?.isConnected) focused.focus();
    });
    this.#dirty.clear();
  }

  #paintSegment(id) {
    const segment = this.#session.segments.get(id);
    let row = this.#rows.get(id);
    if (!segment || (segment.lines.size === 0 && segment.failures.size === 0)) {
      row?.element.remove();
      this.#rows.delete(id);
      return;
    }
    if (!row) {
      row = new SegmentRow(id, { onHide: this.#actions.hide, onEdit: (cell) => this.#edit(cell) });
      this.#rows.set(id, row);
      row.render(segment, this.#session.languages);
      insertByStart(row.element, segment.startMs);
    } else row.render(segment, this.#session.languages);
    row.element.classList.toggle("before-reset", id <= this.#session.resetSegmentId);
  }

  #addNote({ key, startMs, text }) {
    const line = element("li", "note", `${clock(startMs)}  ${text}`);
    line.dataset.note = key;
    line.dataset.start = startMs;
    this.#follower.keepPlace(() => {
      insertByStart(line, startMs);
      view.empty.hidden = true;
    });
  }

  #paintTimings() {
    view.timings.replaceChildren();
    for (const language of this.#session.languages.slice(1)) {
      const other = this.#session.timings.of(language, "B");
      if (!other) continue;
      for (const runtime of ["A", "B"]) {
        const figures = this.#session.timings.of(language, runtime);
        if (figures) view.timings.append(timingLine(language, runtime, figures));
      }
    }
  }

  #edit(cell) {
    if (cell.editor) return;
    new LineEditor(cell, (text) => this.#actions.correct(cell.row.id, cell.language, text));
  }
}

function insertByStart(line, startMs) {
  let after = view.lines.lastElementChild;
  while (after && Number(after.dataset.start) > startMs) after = after.previousElementSibling;
  if (after) after.after(line);
  else view.lines.prepend(line);
}

function timingLine(language, runtime, { model, count, p50Ms, p95Ms }) {
  const line = element("li");
  line.dataset.language = language;
  line.dataset.runtime = runtime;
  line.append(
    element("span", "runtime", runtime),
    ` ${languageName(language)}, ${model}: half within `,
    element("b", "p50", seconds(p50Ms)),
    ", 19 of 20 within ",
    element("b", "p95", seconds(p95Ms)),
    ` (${count})`,
  );
  return line;
}
