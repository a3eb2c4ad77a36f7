// How it goes: the engines, how late captions come, and who watches.

import { element } from "../shared/dom.js";
import { languageName } from "../shared/languages.js";

const ENGINES = {
  stt: ["Recognition", "Nothing is written until it is back; what is said meanwhile is kept and written later."],
  mt: ["Translation", "Screens show the original until it is back; what is owed is translated then."],
  qe: ["Quality", "Lines are shown as before and scored later."],
  mt_alternative: ["Compared translation (B)", "Screens do not need it."],
};
const STATES = {
  ENGINE_STATE_SERVING: ["good", "●", "works"],
  ENGINE_STATE_DEGRADED: ["doubtful", "▲", "goes on with its draft model"],
  ENGINE_STATE_NOT_SERVING: ["doubtful", "▲", "is loading, or lost its model"],
  ENGINE_STATE_UNREACHABLE: ["poor", "■", "does not answer"],
};
const TROUBLE = new Set(["doubtful", "poor"]);
const ADVICE = {
  doubtful: "Wait a minute; then start it again.",
  poor: "Look whether it runs (./glossa doctor), and start it again.",
};
const TRANSPORTS = { websocket: "in browsers", sse: "in browsers (fallback)", grpc: "displays over gRPC" };

const byId = (id) => document.getElementById(id);
const view = { engines: byId("engines"), lags: byId("lags"), trouble: byId("trouble"), viewers: byId("viewers") };

/** status: GetStatusResponse; session: its SessionStatus, or null. */
export function showHealth(status, session) {
  view.engines.replaceChildren(...(status.engines ?? []).map(engineLine));
  showTrouble(status.engines ?? [], status.warnings ?? []);
  view.lags.replaceChildren(...lagRows(session?.lags ?? []));
  const viewers = Object.entries(status.viewers ?? {}).filter(([, count]) => Number(count) > 0);
  view.viewers.textContent =
    viewers.map(([transport, count]) => `${count} ${TRANSPORTS[transport] ?? transport}`).join(", ") || "nobody";
}

// At the top of the page, where it is seen without scrolling.
function showTrouble(engines, warnings) {
  const words = engines.filter((each) => TROUBLE.has(stateOf(each)[0])).map((each) => `${titleOf(each)} ${stateOf(each)[2]}`);
  const sentences = [words.join(", "), ...warnings.map(({ message }) => message[0].toUpperCase() + message.slice(1))];
  const text = sentences.filter(Boolean).join(". ");
  if (view.trouble.textContent !== text) view.trouble.textContent = text;
  view.trouble.hidden = text === "";
}

function engineLine(engine) {
  const { name, detail = "", model = "" } = engine;
  const withoutIt = ENGINES[name]?.[1] ?? "";
  const title = titleOf(engine);
  const [level, shape, words] = stateOf(engine);
  const line = element("li");
  line.dataset.engine = name;
  line.dataset.level = level;
  const sign = element("span", "shape", shape);
  sign.setAttribute("aria-hidden", "true");
  line.append(sign, " ", element("b", "", title), ` ${words}`);
  if (model) line.append(" ", element("span", "model", model));
  if (TROUBLE.has(level)) {
    // What still serves wants no advice but its own.
    const advice = engine.state === "ENGINE_STATE_DEGRADED" ? [] : [withoutIt, ADVICE[level]];
    line.append(element("p", "hint", [detail, ...advice].filter(Boolean).join(" ")));
  }
  return line;
}

const titleOf = ({ name }) => ENGINES[name]?.[0] ?? name;
const stateOf = ({ state }) => STATES[state] ?? ["none", "○", "is not known yet"];

function lagRows(lags) {
  if (lags.length === 0) {
    const cell = element("td", "", "nothing was said yet");
    cell.colSpan = 3;
    const row = element("tr");
    row.append(cell);
    return [row];
  }
  return lags.map(({ stage, p50_ms = 0, p95_ms = 0 }) => {
    const row = element("tr");
    row.dataset.stage = stage;
    const name = element("th", "", stageName(stage));
    name.scope = "row";
    row.append(name, element("td", "", seconds(p50_ms)), element("td", "", seconds(p95_ms)));
    return row;
  });
}

function stageName(stage) {
  const [kind, language] = stage.split(":");
  return kind === "translation" && language ? languageName(language) : "Original";
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
