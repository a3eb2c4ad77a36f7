// One resumable stream of a session's journal and its live updates, for operators.

import { watchAwake } from "../shared/awake.js";

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5_000;

/**
 * `onMessage` gets every FollowResponse of the session by its proto names, and {begun: sessionId} before
 * the first and whenever all comes anew. `onState` gets "connecting", "live", "lost" (it is tried again) or
 * "gone" (there is no such session any more).
 */
export class JournalFeed {
  #onMessage;
  #onState;
  #sessionId = "";
  #sequence = 0;
  #journalId = "";
  #socket = null;
  #refusal = null;
  #backoffMs = FIRST_BACKOFF_MS;
  #retryTimer = 0;

  constructor({ onMessage, onState }) {
    this.#onMessage = onMessage;
    this.#onState = onState;
    watchAwake(() => this.#sessionId && !this.#isLive && this.#open());
  }

  /** Follows this session from its beginning. */
  follow(sessionId) {
    this.#sessionId = sessionId;
    this.#begin();
  }

  get #isLive() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #begin() {
    this.#sequence = 0;
    this.#journalId = "";
    this.#onMessage({ begun: this.#sessionId });
    this.#open();
  }

  #open() {
    clearTimeout(this.#retryTimer);
    this.#socket?.close();
    this.#refusal = null;
    this.#onState("connecting");
    const url = new URL("/operator/events", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = new URLSearchParams({ session: this.#sessionId, after: this.#sequence });
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#socket === socket && this.#take(JSON.parse(data));
    socket.onclose = () => this.#socket === socket && this.#close();
  }

  #take(message) {
    if (message.error) {
      this.#refusal = message.error;
      return;
    }
    if (this.#journalId && message.journal_id !== this.#journalId) {
      this.#begin(); // another journal: its numbers mean other events
      return;
    }
    this.#journalId = message.journal_id;
    this.#backoffMs = FIRST_BACKOFF_MS;
    if (message.event) {
      if (Number(message.event.sequence) <= this.#sequence) return;
      this.#sequence = Number(message.event.sequence);
    }
    if (message.caught_up) this.#onState("live");
    this.#onMessage(message);
  }

  #close() {
    this.#socket = null;
    const reason = this.#refusal?.reason;
    if (reason === "UNKNOWN_SESSION") {
      this.#onState("gone");
      return;
    }
    this.#onState("lost");
    const again = reason === "SEQUENCE_AHEAD" ? () => this.#begin() : () => this.#open();
    this.#retryTimer = setTimeout(again, this.#backoffMs * (0.5 + Math.random() / 2));
    this.#backoffMs = Math.min(2 * this.#backoffMs, LONGEST_BACKOFF_MS);
  }
}
