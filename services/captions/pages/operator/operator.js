// The operator's desk put together: which session, what is known of it, and what can be done.

import { Refused } from "../shared/access.js";
import { MicrophonePanel } from "../microphone/panel.js";
import { showHealth } from "./health-panel.js";
import { JournalFeed } from "./journal-feed.js";
import { JournalSession } from "./journal-session.js";
import { LevelMeter } from "./level-meter.js";
import { LinesView } from "./lines-view.js";
import { correct, getStatus, hide } from "./operator-api.js";
import { attempt, warn, withToken, wordsOf } from "./outcome.js";
import { ScreensPanel } from "./screens-panel.js";
import { SessionPanel } from "./session-panel.js";
import { SessionPicker } from "./session-picker.js";
import { signedIn } from "./sign-in.js";

const STATUS_MS = 1_000;
const STALE_MS = 4_000;
const CONNECTIONS = {
  connecting: "connecting",
  live: "connected",
  lost: "connection lost: what is shown is old. It is tried again",
  gone: "this session was deleted",
};

const byId = (id) => document.getElementById(id);
const view = {
  age: byId("status-age"),
  author: byId("author"),
  compare: byId("to-compare"),
  connection: byId("connection"),
};

const author = () => view.author.value.trim() || "operator";
let session = null; // the JournalSession shown
let sessionId = "";
let status = {}; // GetStatusResponse
let statusAt = 0; // when it came

const meter = new LevelMeter(byId("level"), byId("level-text"));
const screens = new ScreensPanel(author);
const panel = new SessionPanel(author);
const lines = new LinesView({
  correct: (segmentId, language, text) =>
    withToken(() => correct({ session_id: sessionId, segment_id: segmentId, language, text, author: author() })).catch(
      (error) => {
        throw new Error(wordsOf(error));
      },
    ),
  hide: (segmentId, isHidden) =>
    attempt(
      () => hide({ session_id: sessionId, segment_id: segmentId, is_hidden: isHidden, author: author() }),
      isHidden ? "The line is hidden from all screens." : "The line is shown again.",
      isHidden ? "Not hidden" : "Not shown",
    ),
});
const feed = new JournalFeed({ onMessage: takeMessage, onState: showConnection });
const picker = new SessionPicker(byId("session"), {
  onPick: (id) => {
    sessionId = id;
    feed.follow(id);
  },
  mayLeave: () => !lines.hasDraft, // whoever edits is not taken away from it
});
const microphone = new MicrophonePanel(byId("microphone"), {
  meter,
  onSession: (id) => picker.choose(id),
  openSessions: () => (status.sessions ?? []).filter((each) => !each.has_speaker),
  defaults: () => picker.sessions[0] ?? null,
});

// ---- The session ----------------------------------------------------------------------------

function takeMessage(message) {
  if (message.begun) {
    session = new JournalSession();
    lines.show(session);
    return;
  }
  const change = session.take(message);
  if (message.event?.screens) screens.show(message.event.screens);
  if (change.forgotten) {
    leave();
    return;
  }
  lines.change(change);
  if (change.frame) {
    screens.setLanguages(session.languages);
    showFrame();
  }
}

function leave() {
  showConnection("gone");
  lines.show(new JournalSession());
  sessionId = "";
  picker.leave();
}

function showConnection(state) {
  view.connection.dataset.state = state;
  view.connection.textContent = CONNECTIONS[state];
  document.body.classList.toggle("is-stale", state === "lost");
}

function showFrame() {
  const shown = (status.sessions ?? []).find((each) => each.session_id === sessionId);
  const state = !session?.isStarted ? "none" : session.isEnded ? "ended" : session.isHeld ? "held" : "live";
  panel.show(sessionId, state, shown ? Boolean(shown.has_speaker) : null);
  view.compare.href = sessionId ? `/compare?${new URLSearchParams({ session: sessionId })}` : "/compare";
  document.title = `${session?.info.title || "Operator"} · Glossa`;
}

// ---- What there is, and how it goes ---------------------------------------------------------

async function watchStatus() {
  try {
    status = await withToken(getStatus);
    statusAt = Date.now();
    showStatus();
  } catch (error) {
    if (Date.now() - statusAt > STALE_MS) showStale(error);
  }
  setTimeout(watchStatus, STATUS_MS);
}

function showStatus() {
  view.age.textContent = "";
  document.body.classList.remove("has-old-status");
  if (!sessionId) showConnection("live"); // there is no session to follow yet
  const shown = (status.sessions ?? []).find((each) => each.session_id === sessionId);
  showHealth(status, shown);
  screens.show(status.screens);
  if (!microphone.isHeard) {
    meter.show(typeof shown?.level_dbfs === "number" ? { peak_dbfs: shown.level_dbfs, ...shown } : null);
  }
  showFrame();
}

function showStale(error) {
  const age = statusAt ? `These figures are ${Math.round((Date.now() - statusAt) / 1000)} s old: ` : "";
  view.age.textContent = age + (error instanceof Refused ? `refused: ${wordsOf(error)}` : wordsOf(error));
  document.body.classList.add("has-old-status");
  if (!sessionId && !(error instanceof Refused)) showConnection("lost");
  if (!microphone.isHeard) meter.show(null);
}

// ---- Begin ----------------------------------------------------------------------------------

// A name is no secret, and typing it each Sunday helps nobody. A browser that keeps nothing is fine, too.
try {
  view.author.value = localStorage.getItem("glossa-operator-name") ?? "";
} catch {
  // Storage is refused here.
}
view.author.addEventListener("change", () => {
  try {
    localStorage.setItem("glossa-operator-name", view.author.value.trim());
  } catch {
    // It is asked for again next time.
  }
});

addEventListener("beforeunload", (event) => {
  if (lines.hasDraft || microphone.isSpeaking) event.preventDefault();
});

showFrame();
await signedIn(warn);
picker.start();
watchStatus();
