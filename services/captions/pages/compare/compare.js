// Several translations of the same segments side by side.

import { element, fillCaption } from "../shared/dom.js";
import { JournalFeed } from "../operator/journal-feed.js";
import { JournalSession } from "../operator/journal-session.js";
import { clock, seconds } from "../operator/segment-row.js";
import { SessionPicker } from "../operator/session-picker.js";
import { signedIn } from "../operator/sign-in.js";
import { Follower } from "../shared/follower.js";
import { columnsOf, counterpart, lineIn } from "./columns.js";
import { differing } from "./words.js";

const CONNECTIONS = {
  connecting: "connecting",
  live: "connected",
  lost: "connection lost: what is shown is old. It is tried again",
  gone: "this session was deleted",
};

const byId = (id) => document.getElementById(id);
const view = {
  choices: byId("choices"),
  connection: byId("connection"),
  empty: byId("empty"),
  heads: byId("heads"),
  notice: byId("notice"),
  rows: byId("rows"),
  scroller: byId("scroller"),
  table: byId("table"),
};

let session = new JournalSession();
let columns = [];
const left = new Set(); // keys of columns that nobody wants to see
const rows = new Map(); // segment id -> tr
const dirty = new Set();
const follower = new Follower(view.scroller, view.rows, byId("to-live"));

const shownColumns = () => columns.filter(({ key }) => !left.has(key));

// ---- What comes -----------------------------------------------------------------------------

function take(message) {
  if (message.begun) {
    session = new JournalSession();
    clear();
    return;
  }
  const { segmentId, frame, forgotten } = session.take(message);
  if (forgotten) {
    clear();
    picker.leave();
    return;
  }
  if (frame) session.segments.forEach((_, id) => mark(id));
  if (segmentId !== undefined) mark(segmentId);
}

function clear() {
  rows.clear();
  dirty.clear();
  columns = [];
  view.rows.replaceChildren();
  view.table.hidden = true;
  view.empty.hidden = false;
  follower.follow();
}

function mark(id) {
  if (dirty.size === 0) requestAnimationFrame(paint);
  dirty.add(id);
}

// ---- What is shown --------------------------------------------------------------------------

function paint() {
  const found = columnsOf(session);
  if (found.map(({ key }) => key).join() !== columns.map(({ key }) => key).join()) {
    columns = found;
    showChoices();
    session.segments.forEach((_, id) => dirty.add(id));
  }
  follower.keepPlace(() => {
    paintHeads();
    for (const id of dirty) paintRow(id);
    view.table.hidden = view.rows.children.length === 0;
    view.empty.hidden = !view.table.hidden;
  });
  dirty.clear();
}

function paintHeads() {
  const time = element("th", "", "Time");
  time.scope = "col";
  view.heads.replaceChildren(time, ...shownColumns().map(headOf));
}

function headOf({ key, language, runtime, name }) {
  const head = element("th");
  head.scope = "col";
  head.dataset.column = key;
  head.append(element("span", "name", name));
  const figures = session.timings.of(language, runtime || "A");
  if (figures) {
    const latency = element("span", "latency");
    latency.append("half within ", element("b", "p50", seconds(figures.p50Ms)), ", 19 of 20 within ",
      element("b", "p95", seconds(figures.p95Ms)), ` (${figures.count})`);
    head.append(element("span", "model", figures.model), latency);
  }
  return head;
}

function paintRow(id) {
  const segment = session.segments.get(id);
  let row = rows.get(id);
  if (!segment || segment.lines.size === 0) {
    row?.remove();
    rows.delete(id);
    return;
  }
  if (!row) {
    row = element("tr");
    row.dataset.segment = id;
    rows.set(id, row);
    insertInOrder(row, id);
  }
  row.classList.toggle("hidden", segment.isHidden);
  const time = element("th", "time", clock(segment.startMs));
  time.scope = "row";
  if (segment.isHidden) time.append(element("span", "state", " hidden"));
  row.replaceChildren(time, ...shownColumns().map((column) => cellOf(segment, column)));
}

function insertInOrder(row, id) {
  let after = view.rows.lastElementChild;
  while (after && Number(after.dataset.segment) > id) after = after.previousElementSibling;
  if (after) after.after(row);
  else view.rows.prepend(row);
}

function cellOf(segment, column) {
  const cell = element("td");
  cell.dataset.column = column.key;
  const line = lineIn(segment, column);
  if (!line) {
    const reason = column.runtime === "A" && segment.failures.get(column.language);
    cell.append(element("span", "state", reason ? `not translated (${reason})` : ""));
    return cell;
  }
  const text = element("p", "text");
  fillCaption(text, line);
  const other = counterpart(segment, column, new Set(shownColumns().map(({ key }) => key)));
  if (other && line.is_final && other.is_final) markDifferences(text, line, other);
  cell.append(text);
  if (line.is_final && line.engine_ms) cell.append(element("span", "latency", seconds(line.engine_ms)));
  return cell;
}

// Words that the other runtime does not have are underlined, not coloured alone.
function markDifferences(text, line, other) {
  const { left: own } = differing(line.stable_text, other.stable_text, line.language);
  text.replaceChildren(...own.map((part) => element(part.isOnly ? "mark" : "span", "", part.text)));
}

function showChoices() {
  const legend = view.choices.querySelector("legend");
  view.choices.replaceChildren(
    legend,
    ...columns.map(({ key, name }) => {
      const field = element("input");
      field.type = "checkbox";
      field.value = key;
      field.checked = !left.has(key);
      field.addEventListener("change", () => {
        if (field.checked) left.delete(key);
        else left.add(key);
        session.segments.forEach((_, id) => mark(id));
      });
      const label = element("label", "tick");
      label.append(field, ` ${name}`);
      return label;
    }),
  );
}

// ---- Begin ----------------------------------------------------------------------------------

const feed = new JournalFeed({
  onMessage: take,
  onState: (state) => {
    view.connection.dataset.state = state;
    view.connection.textContent = CONNECTIONS[state];
    document.body.classList.toggle("is-stale", state === "lost");
  },
});
const picker = new SessionPicker(byId("session"), { onPick: (id) => feed.follow(id) });

await signedIn((text) => {
  view.notice.textContent = text;
});
picker.start();
