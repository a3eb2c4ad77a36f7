// What can be done to the session that is shown: hold it, begin anew, end it.

import { confirmed } from "./confirm.js";
import { end, hold, reset } from "./operator-api.js";
import { attempt } from "./outcome.js";

const byId = (id) => document.getElementById(id);
const view = {
  end: byId("end"),
  hold: byId("hold"),
  reset: byId("reset"),
  speaker: byId("speaker"),
  state: byId("state"),
};

export class SessionPanel {
  #sessionId = "";
  #isHeld = false;
  #author;

  /** author(): the operator's name. */
  constructor(author) {
    this.#author = author;
    view.hold.addEventListener("click", () => this.#hold());
    view.reset.addEventListener("click", () => this.#reset());
    view.end.addEventListener("click", () => this.#end());
  }

  /** state: "none", "live", "held" or "ended"; hasSpeaker: null when it is not known. */
  show(sessionId, state, hasSpeaker) {
    this.#sessionId = sessionId;
    this.#isHeld = state === "held";
    view.state.dataset.state = state;
    view.state.textContent = { none: "no session", live: "live", held: "held", ended: "ended" }[state];
    const isOpen = state === "live" || state === "held";
    for (const button of [view.hold, view.reset, view.end]) button.disabled = !isOpen;
    view.hold.textContent = this.#isHeld ? "Go on" : "Hold";
    view.hold.setAttribute("aria-pressed", this.#isHeld);
    view.speaker.textContent = !isOpen || hasSpeaker === null ? "" : hasSpeaker ? "" : "Nobody speaks into it now; it waits two minutes.";
  }

  #hold() {
    const isHeld = !this.#isHeld;
    return attempt(
      () => hold({ session_id: this.#sessionId, is_held: isHeld, author: this.#author() }),
      isHeld ? "Held: what is said now is not written." : "It goes on.",
      isHeld ? "Not held" : "It does not go on",
    );
  }

  async #reset() {
    const isSure = await confirmed(
      "Reset the buffer?",
      "Every rolling screen is emptied, the sentence being spoken is dropped, and translation forgets what was said " +
        "before. The transcript keeps its lines. This cannot be undone.",
      "Reset the buffer",
    );
    if (!isSure) return;
    await attempt(
      () => reset({ session_id: this.#sessionId, author: this.#author() }),
      "The buffer was reset.",
      "Not reset",
    );
  }

  async #end() {
    const isSure = await confirmed(
      "End the session?",
      "Nothing more is written after it; the speaker has to start a new session. This cannot be undone.",
      "End the session",
    );
    if (isSure) await attempt(() => end({ session_id: this.#sessionId }), "The session is over.", "Not ended");
  }
}
