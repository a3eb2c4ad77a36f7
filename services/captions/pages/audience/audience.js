// The page for a projector: it commits finals alone, at a pace that can be read, and is steered by its address.

import { ensureAccess, requestJson } from "../shared/access.js";
import { Captions } from "../shared/captions.js";
import { Feed } from "../shared/feed.js";
import { languageName } from "../shared/languages.js";
import { readParameters } from "../shared/parameters.js";
import { signInForm } from "../shared/sign-in.js";
import { keepAwake } from "../shared/wake-lock.js";
import { Announcement } from "./announcement.js";
import { PARAMETERS, Panel, defaultSize } from "./panel.js";
import { Stage } from "./stage.js";

// A connection that comes back sooner is nobody's business.
const LOST_MS = 5000;
// The last words stay when a session is over, before the way in is shown again.
const AFTER_END_MS = 20_000;
const REFUSED_RETRY_MS = 30_000;

const byId = (id) => document.getElementById(id);
const view = {
  join: byId("join"),
  joinCode: byId("join-code"),
  joinUrl: byId("join-url"),
  sign: byId("sign"),
  signIn: byId("sign-in"),
  stage: byId("stage"),
  title: byId("title"),
};

const { values: choice, problems } = readParameters(location.search, PARAMETERS);
for (const problem of problems) console.warn(problem);

const captions = new Captions();
const announcement = new Announcement(byId("announcement"));
applyChoice();
const stage = new Stage(view.stage, captions, stageOptions(), paintFrame);
const panel = new Panel(choice, takeChoice, () => ({ captions, stage, state }));
const feed = new Feed({ session: choice.session, onEvent: takeEvent, onState: takeState });
let state = "connecting";
let isLost = false;
let isOver = false; // the session ended, and its last words had their time
let lostTimer = 0;
let overTimer = 0;
let hasCode = false;

function stageOptions() {
  return { languages: choice.language, lines: choice.lines, clearAfterMs: Infinity, showsDrafts: choice.drafts };
}

function applyChoice() {
  document.documentElement.dataset.theme = choice.theme;
  view.stage.style.setProperty("--size", choice.size || defaultSize(choice.language.length));
}

function takeChoice(name) {
  applyChoice();
  if (["language", "lines", "size"].includes(name)) stage.set(stageOptions());
  paintFrame();
}

function takeEvent(event) {
  if (event.opened) stage.noteOpened();
  const change = captions.take(event);
  stage.take(change);
  if (change.info || change.screens || change.caughtUp) paintFrame();
}

function takeState(next) {
  state = next;
  clearTimeout(lostTimer);
  if (next === "lost") lostTimer = setTimeout(() => noteLost(true), LOST_MS);
  else noteLost(false);
  if (["live", "ended", "waiting"].includes(next)) {
    view.signIn.hidden = true;
    findTheWayIn();
  }
  if (next === "live") noteLive();
  if (next === "ended" || next === "waiting") noteEnd();
  if (next === "refused") askForToken();
  paintFrame();
}

function noteLost(lost) {
  isLost = lost;
  paintFrame();
}

function noteLive() {
  clearTimeout(overTimer);
  overTimer = 0;
  isOver = false;
}

// Once: a connection that comes and goes after the end does not begin the time anew.
function noteEnd() {
  if (!isOver && !overTimer) overTimer = setTimeout(takeEnd, AFTER_END_MS);
}

// What waits is still read out first.
function takeEnd() {
  if (stage.delayMs > 0) {
    overTimer = setTimeout(takeEnd, stage.delayMs + AFTER_END_MS);
    return;
  }
  overTimer = 0;
  isOver = true;
  paintFrame();
}

function paintFrame() {
  const { info, screens, isHeld } = captions;
  const isUnsaid = captions.isCaughtUp && captions.segments.size === 0;
  const isWaiting = !info || isOver || (isUnsaid && !isHeld);
  document.body.dataset.state = state;
  document.body.classList.toggle("waiting", isWaiting);
  document.body.classList.toggle("blank", screens.is_blank);
  setText(view.title, info?.title || "Live captions");
  announcement.paint(screens);
  const sign = signOf(isHeld);
  view.sign.hidden = !sign;
  setText(view.sign, sign);
  view.join.hidden = !hasCode || (!choice.qr && !isWaiting);
  panel.paint();
}

function signOf(isHeld) {
  if (isLost) return "⋯ connecting";
  if (isHeld) return "❚❚ paused";
  const missing = stage.missingLanguages;
  return missing.length > 0 ? `no captions in ${missing.map(languageName).join(", ")}` : "";
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The address of a machine may change; the picture is fetched anew with it.
async function findTheWayIn() {
  try {
    const { url } = await requestJson("join");
    view.joinCode.src = `join.svg?of=${encodeURIComponent(url)}`;
    setText(view.joinUrl, url);
    hasCode = true;
  } catch {
    hasCode = false; // it is asked for again with the next connection
  }
  paintFrame();
}

function askForToken() {
  if (view.signIn.hidden) {
    const why = "This screen needs the token for viewers: open the link that holds it, or enter it here.";
    view.signIn.replaceChildren(signInForm(why, begin));
    view.signIn.hidden = false;
  }
  setTimeout(() => state === "refused" && begin(), REFUSED_RETRY_MS);
}

// For ever: a projector has nobody who would press "reload".
async function begin() {
  try {
    await ensureAccess();
  } catch (error) {
    console.warn(error.message); // the feed finds the service when it is back, or is refused, too
  }
  feed.start();
}

keepAwake(true);
begin();
