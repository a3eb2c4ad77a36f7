// One resumable stream of a session's events, across lost connections, sleep, restarts and the next session.

import { Refused, checkAccess, requestJson } from "./access.js";
import { watchAwake } from "./awake.js";
import { connect, hasWebSocket } from "./connection.js";

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5000;
// A page that slept may hold a connection that died meanwhile without a word.
const ASLEEP_MS = 15_000;
// The same for a network that went away while the page was looked at. Speech is rarely silent so long.
const QUIET_MS = 60_000;
const FAILURES_BEFORE_EVENTS = 2;
// Which languages a session has is known when it begins; until then no captions are wanted. The tag says "no
// language" (BCP 47), as an empty list would ask for all of them.
const NO_LANGUAGE = "zxx";

/** The sessions that can be followed, newest first. Throws as requestJson does. */
export const listSessions = async () => (await requestJson("sessions")).sessions;

/**
 * Follows one session: the one with the id `session`, or when that is empty the newest, live ones first; an
 * ended one then gives way to the next.
 *
 * `onEvent` gets every event of /ws that belongs to the session, once and in order, and two of the feed's own:
 * {chosen: info or null} before a session's first event, and again when all comes anew; {opened: true} when
 * a connection begins. While {chosen} is handled, setLanguages costs nothing.
 *
 * `onState` gets "connecting", "waiting" (there is no session yet), "live", "ended", "lost" (it is tried
 * again), or "refused" (a token is wanted: sign in, then start() again) with a message for people.
 */
export class Feed {
  #onEvent;
  #onState;
  #session;
  #languages;
  #state = "";
  #info = null; // the session followed
  #isFollowingAll = false; // waiting for the next session
  #isCaughtUp = false;
  #sequence = 0;
  #journalId = "";
  #transport = hasWebSocket() ? "websocket" : "sse";
  #failures = 0; // connections in a row that brought nothing
  #connection = null;
  #refusal = null;
  #backoffMs = FIRST_BACKOFF_MS;
  #retryTimer = 0;
  #retried = null;
  #attempt = 0; // an answer to an earlier one is void
  #quietTimer = 0;
  #stopWatching = () => {};

  constructor({ session = "", languages = [], onEvent, onState = () => {} }) {
    this.#session = session;
    this.#languages = [...languages];
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  /** Begins, or begins anew. */
  start() {
    this.stop();
    this.#stopWatching = watchAwake((awayMs) => this.#wake(awayMs));
    this.#setState("connecting");
    this.#begin();
  }

  /** Ends the connection; nothing comes any more. */
  stop() {
    this.#stopWatching();
    this.#disconnect();
    this.#sequence = 0;
  }

  /** Asks for these languages alone; those that were not asked for before come from the beginning. */
  setLanguages(languages) {
    const before = this.#languages;
    if (languages.join() === before.join()) return;
    this.#languages = [...languages];
    if (!this.#connection && this.#sequence === 0) return; // the next one asks for them
    const isKnown = before.length === 0 || (languages.length && languages.every((each) => before.includes(each)));
    if (isKnown) this.#open();
    else this.#follow(this.#info);
  }

  /** Follows another session; "": the newest. */
  setSession(session) {
    this.#session = session;
    this.#begin();
  }

  // ---- Which session ----------------------------------------------------------------------

  async #begin() {
    this.#disconnect();
    const attempt = this.#attempt;
    let sessions;
    try {
      sessions = await listSessions();
    } catch (error) {
      if (attempt === this.#attempt) this.#fail(error, () => this.#begin());
      return;
    }
    if (attempt === this.#attempt) this.#follow(this.#pick(sessions));
  }

  #pick(sessions) {
    const asked = sessions.find((each) => each.session_id === this.#session);
    if (!asked) this.#session = "";
    return asked ?? sessions.find((each) => each.is_live) ?? sessions[0] ?? null;
  }

  // From the beginning; without a session: whatever begins next.
  #follow(info) {
    this.#disconnect();
    this.#info = info && { ...info };
    this.#isFollowingAll = !info;
    this.#isCaughtUp = false;
    this.#sequence = 0;
    this.#journalId = "";
    this.#onEvent({ chosen: info && { ...info } });
    this.#open();
  }

  // The session is over: what comes after it may be of any other.
  async #followNext() {
    this.#isFollowingAll = true;
    const attempt = this.#attempt;
    const sessions = await listSessions().catch(() => []);
    if (attempt !== this.#attempt) return;
    const next = this.#pick(sessions);
    if (next && next.session_id !== this.#info.session_id) this.#follow(next);
    else this.#open();
  }

  // ---- The connection ---------------------------------------------------------------------

  #open() {
    this.#disconnect();
    this.#refusal = null;
    const languages = this.#info ? this.#languages : [NO_LANGUAGE];
    const query = new URLSearchParams({ language: languages.join(",") });
    if (this.#isFollowingAll) query.set("finals_only", "1");
    else query.set("session", this.#info.session_id);
    query.set("after", this.#sequence);
    let isFirst = true;
    const take = (message) => {
      if (isFirst && !message.error) this.#onEvent({ opened: true });
      isFirst = false;
      this.#failures = 0;
      this.#watchQuiet();
      this.#take(message);
    };
    this.#connection = connect(this.#transport, query, take, (hasSpoken) => this.#close(hasSpoken));
  }

  #disconnect() {
    this.#attempt += 1;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#quietTimer);
    this.#retried = null;
    this.#connection?.close();
    this.#connection = null;
  }

  #take(event) {
    if (event.error) {
      this.#refusal = event.error;
      return;
    }
    if (this.#journalId && event.journal_id !== this.#journalId) {
      this.#begin(); // another journal: its numbers mean other events
      return;
    }
    this.#journalId = event.journal_id;
    if (event.sequence > 0) {
      if (event.sequence <= this.#sequence) return;
      this.#sequence = event.sequence;
    }
    const isOurs = !event.session_id || event.session_id === this.#info?.session_id;
    if (isOurs) this.#takeOwn(event);
    else if (this.#isFollowingAll && event.session_started) {
      const { session_id } = event;
      this.#follow({ session_id, ...event.session_started, is_live: true, is_held: false });
    }
  }

  #takeOwn(event) {
    if (event.session_forgotten) {
      this.#leave(event);
      this.#begin();
      return;
    }
    if (event.session_ended) this.#info.is_live = false;
    if (event.caught_up) {
      this.#isCaughtUp = true;
      this.#backoffMs = FIRST_BACKOFF_MS;
    }
    this.#onEvent(event);
    if (!this.#isCaughtUp) return;
    this.#setState(this.#info ? (this.#info.is_live ? "live" : "ended") : "waiting");
    if (this.#state === "ended" && !this.#session && !this.#isFollowingAll) this.#followNext();
  }

  #close(hasSpoken) {
    this.#connection = null;
    const { reason, metadata } = this.#refusal ?? {};
    if (reason === "HISTORY_TRIMMED") {
      this.#sequence = Number(metadata.oldest_sequence) - 1;
      this.#retry(() => this.#open());
      return;
    }
    if (reason === "SEQUENCE_AHEAD" || reason === "UNKNOWN_SESSION") {
      if (reason === "UNKNOWN_SESSION") this.#leave({ chosen: null });
      this.#retry(() => this.#begin());
      return;
    }
    this.#setState("lost");
    this.#retry(hasSpoken ? () => this.#open() : () => this.#probe());
  }

  // The session was deleted, or made room for newer ones: nothing of it stays.
  #leave(event) {
    this.#disconnect();
    this.#info = null;
    this.#session = "";
    this.#sequence = 0;
    this.#onEvent(event);
  }

  // A connection brought nothing: is it the service, the token, or this transport?
  async #probe() {
    const attempt = this.#attempt;
    try {
      const access = await checkAccess();
      if (!access.view) throw new Refused("TOKEN_WANTED", "A token is wanted here.");
    } catch (error) {
      if (attempt === this.#attempt) this.#fail(error, () => this.#probe());
      return;
    }
    if (attempt !== this.#attempt) return;
    this.#failures += 1;
    if (this.#failures >= FAILURES_BEFORE_EVENTS && hasWebSocket()) {
      this.#transport = this.#transport === "sse" ? "websocket" : "sse";
      this.#failures = 0;
    }
    this.#open();
  }

  #fail(error, again) {
    if (error instanceof Refused) {
      this.#setState("refused", error.message);
      return;
    }
    this.#setState("lost");
    this.#retry(again);
  }

  #retry(again) {
    clearTimeout(this.#retryTimer);
    this.#retried = again;
    // Many displays lose the service at once and shall not come back at once.
    this.#retryTimer = setTimeout(() => this.#retryNow(), this.#backoffMs * (0.5 + Math.random() / 2));
    this.#backoffMs = Math.min(2 * this.#backoffMs, LONGEST_BACKOFF_MS);
  }

  #retryNow() {
    clearTimeout(this.#retryTimer);
    const again = this.#retried;
    this.#retried = null;
    again?.();
  }

  #setState(state, message = "") {
    if (state === this.#state) return;
    this.#state = state;
    this.#onState(state, message);
  }

  // ---- Sleep, and networks that go away -----------------------------------------------------

  // Whatever the connection looks like, a new one after the last sequence is cheap and sure.
  #wake(awayMs) {
    if (this.#retried) {
      this.#backoffMs = FIRST_BACKOFF_MS;
      this.#retryNow();
    } else if (this.#connection && awayMs > ASLEEP_MS) this.#open();
  }

  #watchQuiet() {
    clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(() => {
      const isOpen = this.#connection && this.#state === "live";
      if (isOpen && document.visibilityState === "visible") this.#open();
    }, QUIET_MS);
  }
}
