// The live page. It holds a session's captions by segment and language, shows two of the languages,
// and resumes from the last sequence that it has after every interruption. Text from the network is
// only ever put in place with textContent.

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5000;
const SESSIONS_POLL_MS = 3000;
const STICKY_PX = 120;
const ANNOUNCED_LINES = 5;

const byId = (id) => document.getElementById(id);
const view = {
  announcer: byId("announcer"),
  captions: byId("captions"),
  empty: byId("empty"),
  engines: byId("engines"),
  language: byId("language"),
  scroller: byId("scroller"),
  session: byId("session"),
  showSource: byId("show-source"),
  status: byId("status"),
  title: byId("title"),
  toLive: byId("to-live"),
  vtt: byId("vtt"),
};

const wanted = new URLSearchParams(location.search);
const choice = {
  session: wanted.get("session") ?? "", // empty: the newest, live ones first
  language: wanted.get("language") ?? "", // empty: the session's first target language
};

let sessions = [];
let shown = null; // the Session being shown
let socket = null;
let backoffMs = FIRST_BACKOFF_MS;
let retryTimer = 0;

// ---- A session's captions -------------------------------------------------------------------

class Session {
  constructor(info) {
    this.info = info;
    this.journalId = "";
    this.sequence = 0;
    this.segments = new Map(); // segment id -> {captions: Map(language -> caption), element}
    this.engines = new Map(); // language -> engine and model
    this.caughtUp = false;
    this.isDeleted = false;
  }

  forget() {
    this.sequence = 0;
    this.segments.clear();
    this.engines.clear();
    view.captions.replaceChildren();
  }

  // Takes one event of /ws; returns false when the journal is another one and all starts again.
  take(event) {
    if (event.journal_id !== this.journalId) {
      const known = this.sequence > 0;
      this.journalId = event.journal_id;
      if (known) {
        this.forget();
        return false;
      }
    }
    if (event.sequence > 0) {
      if (event.sequence <= this.sequence) return true;
      this.sequence = event.sequence;
    }
    if (event.caption) this.#takeCaption(event.caption);
    else if (event.caption_dropped) this.#dropPartials(event.caption_dropped);
    else if (event.session_started) Object.assign(this.info, event.session_started, { is_live: true });
    else if (event.session_ended) this.info.is_live = false;
    else if (event.session_forgotten) this.isDeleted = true;
    else if (event.caught_up) this.caughtUp = true;
    return true;
  }

  #takeCaption(caption) {
    let segment = this.segments.get(caption.segment_id);
    if (!segment) {
      segment = { id: caption.segment_id, captions: new Map(), element: null };
      this.segments.set(caption.segment_id, segment);
    }
    const before = segment.captions.get(caption.language);
    if (before && before.is_final && !caption.is_final) return;
    if (before && before.is_final === caption.is_final && before.revision > caption.revision) return;
    segment.captions.set(caption.language, caption);
    if (caption.model) this.engines.set(caption.language, caption.model);
    render(segment);
    if (caption.is_final && this.caughtUp && caption.language === mainLanguage()) {
      announce(caption.stable_text);
    }
  }

  // Without a language the partials of all languages go.
  #dropPartials(dropped) {
    const segment = this.segments.get(dropped.segment_id);
    if (!segment) return;
    for (const [language, caption] of segment.captions) {
      if (!caption.is_final && (!dropped.language || dropped.language === language)) {
        segment.captions.delete(language);
      }
    }
    if (segment.captions.size === 0) {
      segment.element?.remove();
      this.segments.delete(segment.id);
    } else {
      render(segment);
    }
  }
}

// ---- What is on the screen ------------------------------------------------------------------

const matches = (language, asked) =>
  language.toLowerCase() === asked.toLowerCase() ||
  language.toLowerCase().startsWith(`${asked.toLowerCase()}-`);

function targetLanguage() {
  const targets = shown?.info.target_languages ?? [];
  if (choice.language === shown?.info.source_language) return "";
  return targets.find((each) => choice.language && matches(each, choice.language)) ?? targets[0] ?? "";
}

const mainLanguage = () => targetLanguage() || shown.info.source_language;

const languageNames = new Map();

// The language's own name for itself, as a reader of it looks for it.
function languageName(tag) {
  if (!languageNames.has(tag)) {
    let name = tag;
    try {
      name = new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
    } catch {
      // Not a language tag: it stands for itself.
    }
    languageNames.set(tag, name.charAt(0).toUpperCase() + name.slice(1));
  }
  return languageNames.get(tag);
}

function element(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function fill(paragraph, caption, className) {
  paragraph.className = className;
  paragraph.replaceChildren();
  if (!caption) return;
  paragraph.lang = caption.language;
  paragraph.classList.toggle("partial", !caption.is_final);
  paragraph.classList.toggle("corrected", caption.is_corrected);
  if (caption.is_corrected) paragraph.title = "Corrected by a person";
  else paragraph.removeAttribute("title");
  const stable = caption.stable_text;
  const unstable = caption.unstable_text;
  if (stable) {
    const span = element("span", "stable");
    span.textContent = stable;
    paragraph.append(span);
  }
  if (unstable) {
    const span = element("span", "unstable");
    span.textContent = stable ? ` ${unstable.trimStart()}` : unstable;
    paragraph.append(span);
  }
}

function render(segment) {
  const sticky = isAtEnd();
  if (!segment.element) {
    segment.element = element("article", "segment");
    segment.element.append(element("p", "source"), element("p", "target"));
    segment.element.dataset.segment = segment.id;
    insertInOrder(segment);
  }
  const [source, target] = segment.element.children;
  const targetTag = targetLanguage();
  fill(source, segment.captions.get(shown.info.source_language), "source");
  fill(target, targetTag ? segment.captions.get(targetTag) : null, "target");
  view.empty.hidden = true;
  if (sticky) scrollToEnd();
}

function insertInOrder(segment) {
  let after = view.captions.lastElementChild;
  while (after && Number(after.dataset.segment) > segment.id) after = after.previousElementSibling;
  if (after) after.after(segment.element);
  else view.captions.prepend(segment.element);
}

function renderAll() {
  document.body.classList.toggle("only-source", !targetLanguage());
  document.body.classList.toggle("only-target", Boolean(targetLanguage()) && !view.showSource.checked);
  for (const segment of shown.segments.values()) render(segment);
  renderFrame();
}

function renderFrame() {
  const { info } = shown;
  view.title.textContent = info.title || "Live captions";
  document.title = `${info.title || "Live captions"} · Glossa`;
  view.empty.hidden = shown.segments.size > 0;
  const names = [shown.engines.get(info.source_language), shown.engines.get(targetLanguage())];
  view.engines.textContent = names.filter(Boolean).join("  →  ");
  view.vtt.hidden = shown.segments.size === 0;
  const path = encodeURIComponent(info.session_id);
  view.vtt.href = `sessions/${path}/captions.vtt?language=${encodeURIComponent(mainLanguage())}`;
  view.vtt.download = `${info.session_id}.${mainLanguage()}.vtt`;
  fillChoices();
}

function fillSelect(select, options, value) {
  const same =
    select.options.length === options.length &&
    options.every(([id, text], i) => select.options[i].value === id && select.options[i].text === text);
  if (!same) {
    select.replaceChildren(
      ...options.map(([id, text]) => {
        const option = element("option", "");
        option.value = id;
        option.textContent = text;
        return option;
      }),
    );
  }
  select.value = value;
}

function fillChoices() {
  const info = shown?.info;
  const languages = info ? [...info.target_languages, info.source_language].filter(Boolean) : [];
  fillSelect(view.language, languages.map((tag) => [tag, languageName(tag)]), info ? mainLanguage() : "");
  const named = sessions.map((each) => [each.session_id, sessionName(each)]);
  fillSelect(view.session, [["", "Newest"], ...named], choice.session);
}

function sessionName(info) {
  const start = info.start_time ? new Date(info.start_time) : null;
  const time = start ? start.toLocaleString([], { dateStyle: "short", timeStyle: "short" }) : "";
  return [info.is_live ? "●" : "", info.title || "Untitled", time].filter(Boolean).join(" ");
}

function setStatus(state, text) {
  if (view.status.dataset.state !== state) view.status.dataset.state = state;
  if (view.status.textContent !== text) view.status.textContent = text;
}

function announce(text) {
  const line = element("p", "");
  line.lang = mainLanguage();
  line.textContent = text;
  view.announcer.append(line);
  while (view.announcer.children.length > ANNOUNCED_LINES) view.announcer.firstChild.remove();
}

// ---- Scrolling: follow the end, unless the reader went back ---------------------------------

let following = true;
const isAtEnd = () => following;

function distanceToEnd() {
  const { scrollHeight, scrollTop, clientHeight } = view.scroller;
  return scrollHeight - scrollTop - clientHeight;
}

function scrollToEnd() {
  view.scroller.scrollTop = view.scroller.scrollHeight;
}

view.scroller.addEventListener("scroll", () => {
  following = distanceToEnd() < STICKY_PX;
  view.toLive.hidden = following;
});
view.toLive.addEventListener("click", () => {
  following = true;
  scrollToEnd();
});
new ResizeObserver(() => following && scrollToEnd()).observe(view.scroller);

// ---- The connection -------------------------------------------------------------------------

async function loadSessions() {
  const response = await fetch("sessions", { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`sessions: ${response.status}`);
  sessions = (await response.json()).sessions;
}

function pickSession() {
  if (choice.session) return sessions.find((each) => each.session_id === choice.session);
  return sessions.find((each) => each.is_live) ?? sessions[0];
}

function retry() {
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, backoffMs * (0.5 + Math.random() / 2));
  backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS);
}

async function connect() {
  clearTimeout(retryTimer);
  disconnect();
  try {
    await loadSessions();
  } catch {
    setStatus("lost", "no connection, trying again");
    retry();
    return;
  }
  const info = pickSession();
  if (!info) {
    setStatus("connecting", "waiting for a session");
    fillChoices();
    retryTimer = setTimeout(connect, SESSIONS_POLL_MS);
    return;
  }
  if (shown?.info.session_id !== info.session_id) {
    shown?.forget();
    view.announcer.replaceChildren();
    shown = new Session(info);
    following = true;
  } else {
    shown.info = info;
  }
  shown.caughtUp = false;
  renderAll();
  openSocket(shown);
}

function openSocket(session) {
  const url = new URL("ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams({ session: session.info.session_id, after: session.sequence });
  const opened = new WebSocket(url);
  socket = opened;
  let refused = null;
  opened.addEventListener("message", ({ data }) => {
    if (socket !== opened) return;
    const event = JSON.parse(data);
    if (event.error) {
      refused = event.error;
      return;
    }
    backoffMs = FIRST_BACKOFF_MS;
    if (!session.take(event)) {
      connect();
      return;
    }
    if (session.isDeleted) {
      leave(session);
      connect();
      return;
    }
    if (session.caughtUp || event.session_started) {
      renderFrame();
      setStatus(session.info.is_live ? "live" : "ended", session.info.is_live ? "live" : "ended");
    }
    if (event.caught_up && following) scrollToEnd();
    if (session.caughtUp && !session.info.is_live && !choice.session) watchForNewer(session);
  });
  opened.addEventListener("close", () => {
    if (socket !== opened) return;
    socket = null;
    if (refused) takeRefusal(session, refused);
    setStatus("lost", "connection lost, trying again");
    retry();
  });
}

function takeRefusal(session, { reason, metadata }) {
  if (reason === "SEQUENCE_AHEAD") session.forget();
  else if (reason === "HISTORY_TRIMMED") session.sequence = Number(metadata.oldest_sequence) - 1;
  else if (reason === "UNKNOWN_SESSION") leave(session);
}

// The session was deleted, or made room for newer ones: nothing of it stays on the screen.
function leave(session) {
  session.forget();
  view.announcer.replaceChildren();
  if (choice.session === session.info.session_id) remember("session", "");
  if (shown !== session) return;
  shown = null;
  view.title.textContent = "Live captions";
  document.title = "Live captions · Glossa";
  view.engines.textContent = "";
  view.vtt.hidden = true;
  view.empty.hidden = false;
}

function disconnect() {
  const old = socket;
  socket = null;
  old?.close();
}

// A shown session that is over gives way to the next one.
function watchForNewer(session) {
  clearTimeout(retryTimer);
  retryTimer = setTimeout(async () => {
    if (shown !== session || !socket) return;
    try {
      await loadSessions();
    } catch {
      // The socket tells of a lost connection; this only looks for news.
    }
    if (shown !== session || !socket || choice.session) return;
    fillChoices();
    if (pickSession()?.session_id !== session.info.session_id) connect();
    else watchForNewer(session);
  }, SESSIONS_POLL_MS);
}

// ---- Choices --------------------------------------------------------------------------------

function remember(name, value) {
  choice[name] = value;
  const url = new URL(location.href);
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  history.replaceState(null, "", url);
}

view.session.addEventListener("change", () => {
  remember("session", view.session.value);
  backoffMs = FIRST_BACKOFF_MS;
  connect();
});
view.language.addEventListener("change", () => {
  remember("language", view.language.value);
  if (shown) renderAll();
  view.announcer.replaceChildren();
});
view.showSource.addEventListener("change", () => shown && renderAll());
addEventListener("online", () => !socket && connect());

connect();
