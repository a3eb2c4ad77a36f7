// The page in people's hands: one session, in the language of the reader.

import { ensureAccess } from "../shared/access.js";
import { Captions } from "../shared/captions.js";
import { Feed, listSessions } from "../shared/feed.js";
import { closest, direction, languageName } from "../shared/languages.js";
import { signInForm } from "../shared/sign-in.js";
import { Announcer } from "./announcer.js";
import { applyAppearance } from "./appearance.js";
import { downloadLinks } from "./downloads.js";
import { Follower } from "../shared/follower.js";
import { showEmpty, showScreens, showState } from "./notices.js";
import { Painter } from "./painter.js";
import { loadPreferences, savePreferences } from "./preferences.js";
import { fillSelect, isSheetOpen, showDownloads, showEngines, showSessions, wireSheet } from "./sheet.js";
import { Transcript } from "./transcript.js";
import { keepAwake } from "../shared/wake-lock.js";

const byId = (id) => document.getElementById(id);
const view = {
  captions: byId("captions"),
  earlier: byId("earlier"),
  language: byId("language"),
  scroller: byId("scroller"),
  title: byId("title"),
};

const preferences = loadPreferences();
const query = new URLSearchParams(location.search);
const asked = {
  session: query.get("session") ?? "", // empty: the newest, live ones first
  language: query.get("language") ?? "", // empty: as preferred before, or by the browser
};

const captions = new Captions();
const follower = new Follower(view.scroller, view.captions, byId("to-live"));
const transcript = new Transcript({ list: view.captions, earlier: view.earlier }, follower);
const announcer = new Announcer(byId("announcer"));
const painter = new Painter(paint);
const feed = new Feed({ session: asked.session, onEvent: take, onState: takeState });

let state = "connecting";
let shownSession = "";
let languages = { source: "", target: "" }; // "": not shown
const dirty = new Set(); // ids of the segments to paint; ALL for everything
const ALL = Symbol("all");

// ---- What comes ------------------------------------------------------------------------------

function take(event) {
  const change = captions.take(event);
  const session = captions.info?.session_id ?? "";
  if (session !== shownSession) showAnother(session);
  if (change.screens) {
    showScreens(captions.screens);
    showNotices();
  }
  if (change.info) showSession();
  if (change.all) dirty.add(ALL);
  if (change.segmentId !== undefined) takeSegment(change);
  if (captions.isCaughtUp && dirty.size > 0) painter.request();
}

function takeSegment({ segmentId, final }) {
  dirty.add(segmentId);
  if (captions.segments.get(segmentId)?.isHidden) announcer.remove(segmentId);
  // What was there before the reader came is not read out.
  const isNews = captions.isCaughtUp && !captions.screens.is_blank;
  if (final && isNews && final.language === mainLanguage()) announcer.read(final);
}

function takeState(now, message) {
  state = now;
  showNotices();
  document.querySelector(".sign-in")?.remove();
  if (state === "refused") {
    showEmpty(true);
    view.scroller.prepend(signInForm(message, () => feed.start()));
  }
}

// Nothing of the one before stays: not on the page, not for a screen reader.
function showAnother(session) {
  shownSession = session;
  dirty.clear();
  transcript.clear();
  announcer.clear();
  showEmpty(true);
  follower.follow();
  if (session && asked.session && session !== asked.session) rememberInUrl("session", "");
  if (isSheetOpen()) fillSheet();
}

// ---- What is shown ---------------------------------------------------------------------------

function paint() {
  if (!captions.isCaughtUp) return; // it will be, and asks again
  if (dirty.has(ALL)) transcript.paintAll(captions, languages);
  else transcript.paint(dirty, captions, languages);
  dirty.clear();
  showEmpty(transcript.isEmpty);
}

function showNotices() {
  showState(state, captions.isHeld, captions.screens.is_blank);
}

function showSession() {
  const { info } = captions;
  const title = info?.title || "Live captions";
  view.title.textContent = title;
  document.title = `${title} · Glossa`;
  showNotices();
  chooseLanguages();
}

// Somebody who reads what is spoken, too, has not said so by the browser's language alone: people look
// for the translation here. Whoever chooses is not asked again.
function mainLanguage() {
  if (!captions.info) return "";
  const { source_language: source, target_languages: targets } = captions.info;
  return (
    closest([...targets, source], [asked.language, preferences.language]) ||
    closest(targets, navigator.languages ?? [navigator.language]) ||
    targets[0] ||
    source
  );
}

function chooseLanguages() {
  const { source_language: source = "", target_languages: targets = [] } = captions.info ?? {};
  const main = mainLanguage();
  const isSourceOnly = main === source;
  languages = {
    source: isSourceOnly || preferences.view === "both" ? source : "",
    target: isSourceOnly ? "" : main,
  };
  document.body.classList.toggle("only-source", isSourceOnly);
  view.captions.dir = main ? direction(main) : "ltr";
  const tags = [...new Set([...targets, source])].filter(Boolean);
  fillSelect(view.language, tags.map((tag) => [tag, languageName(tag), tag]), main);
  view.language.hidden = tags.length === 0;
  byId("view").disabled = isSourceOnly;
  if (captions.info) feed.setLanguages([languages.source, languages.target].filter(Boolean));
}

function rememberInUrl(name, value) {
  asked[name] = value;
  const url = new URL(location.href);
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  history.replaceState(null, "", url);
}

// ---- What the reader chooses -----------------------------------------------------------------

view.language.addEventListener("change", () => {
  preferences.language = view.language.value;
  savePreferences(preferences);
  rememberInUrl("language", view.language.value);
  announcer.clear();
  chooseLanguages();
  repaint();
});

view.earlier.addEventListener("click", () => {
  follower.isFollowing = false;
  transcript.showEarlier();
  repaint();
});

wireSheet(preferences, {
  onOpen: fillSheet,
  onClose: emptySheet,
  onChange() {
    savePreferences(preferences);
    follower.keepPlace(() => applyAppearance(preferences));
    keepAwake(preferences.wake);
    chooseLanguages();
    repaint();
  },
  onSession(id) {
    rememberInUrl("session", id);
    feed.setSession(id);
  },
});

function repaint() {
  dirty.add(ALL);
  painter.request();
}

async function fillSheet() {
  const { info, models } = captions;
  showEngines([info && models.get(info.source_language), models.get(mainLanguage())].filter(Boolean));
  showDownloads(info && !transcript.isEmpty ? downloadLinks(info.session_id, mainLanguage(), info.source_language) : []);
  try {
    showSessions(await listSessions(), asked.session);
  } catch {
    // No connection: the page says so already, and keeps the list that it had.
  }
}

// The names of services are as little the browser's to keep as their texts.
function emptySheet() {
  showDownloads([]);
  showSessions([], "");
}

// ---- Coming and going ------------------------------------------------------------------------

// A browser may keep a page that was left, and its texts with it.
addEventListener("pagehide", () => {
  feed.stop();
  take({ chosen: null });
});
addEventListener("pageshow", ({ persisted }) => persisted && feed.start());

applyAppearance(preferences);
keepAwake(preferences.wake);
showNotices();
ensureAccess()
  .catch(() => {}) // the feed says what is the matter
  .then(() => feed.start());
