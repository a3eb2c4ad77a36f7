// Which session is shown: the newest, open ones first, or one that a person chose.

import { element } from "../shared/dom.js";
import { rememberParameter } from "../shared/parameters.js";
import { listSessions } from "./operator-api.js";
import { withToken } from "./outcome.js";

const SESSIONS_MS = 3_000;

export class SessionPicker {
  sessions = []; // as the gateway lists them, newest first
  #select;
  #onPick;
  #mayLeave;
  #chosenId = new URLSearchParams(location.search).get("session") ?? ""; // "": the newest
  #shownId = "";

  /** onPick(sessionId) when another one is to be shown; mayLeave(): false keeps the one that is, for the newest. */
  constructor(select, { onPick, mayLeave = () => true }) {
    this.#select = select;
    this.#onPick = onPick;
    this.#mayLeave = mayLeave;
    select.addEventListener("change", () => this.choose(select.value));
    this.#list();
  }

  /** Begins to look for sessions. */
  async start() {
    this.#pick();
    for (;;) {
      try {
        this.sessions = await withToken(listSessions);
        this.#pick();
      } catch {
        // Who asks for more than the list tells of it.
      }
      await new Promise((resolve) => setTimeout(resolve, SESSIONS_MS));
    }
  }

  /** Shows this session from now on; "": whichever is the newest. */
  choose(id) {
    this.#chosenId = id;
    rememberParameter("session", id || null);
    this.#pick();
  }

  /** The session that was shown is no more. */
  leave() {
    this.sessions = this.sessions.filter((each) => each.session_id !== this.#shownId);
    this.#shownId = "";
    this.choose("");
  }

  #pick() {
    const next = this.#chosenId || (this.#shownId && !this.#mayLeave() ? this.#shownId : this.#newest()?.session_id);
    if (next && next !== this.#shownId) {
      this.#shownId = next;
      this.#onPick(next);
    }
    this.#list();
  }

  #newest() {
    return this.sessions.find((each) => !each.end_time) ?? this.sessions[0];
  }

  #list() {
    const newest = this.#newest();
    const name = newest ? `The newest: ${newest.title || "Untitled"}` : "The newest";
    const options = [["", name], ...this.sessions.map((each) => [each.session_id, nameOf(each)])];
    const isListed = options.some(([id]) => id === this.#chosenId);
    if (!isListed) options.push([this.#chosenId, this.#chosenId]);
    const shown = [...this.#select.options].map(({ value, text }) => [value, text]);
    if (JSON.stringify(shown) !== JSON.stringify(options)) {
      this.#select.replaceChildren(
        ...options.map(([id, name]) => {
          const option = element("option", "", name);
          option.value = id;
          return option;
        }),
      );
    }
    this.#select.value = this.#chosenId;
  }
}

function nameOf({ title, start_time: start, end_time: end, is_held: isHeld }) {
  const time = start ? new Date(start).toLocaleString([], { dateStyle: "short", timeStyle: "short" }) : "";
  return [end ? "" : isHeld ? "❚❚" : "●", title || "Untitled", time].filter(Boolean).join(" ").replace(/\s+/g, " ");
}
