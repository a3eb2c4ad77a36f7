// What the page says beside the captions: the connection, an announcement, a hold, why it is empty.

import { direction } from "../shared/languages.js";

const STATES = {
  connecting: "connecting",
  waiting: "waiting for a service",
  live: "live",
  ended: "ended",
  lost: "no connection, trying again",
  refused: "a token is wanted",
};
const EMPTY = {
  waiting: "There is no service yet. Captions begin here by themselves.",
  live: "Captions appear here as soon as someone speaks.",
  ended: "Nothing was said in this service.",
  refused: "",
};
const HELD = "The captions are on hold. They go on by themselves.";
const BLANK = "The captions are switched off for the moment. They come back by themselves.";

const byId = (id) => document.getElementById(id);
const view = {
  announcement: byId("announcement"),
  empty: byId("empty"),
  held: byId("held"),
  status: byId("status"),
};

// The same again would be read out again.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows how the connection is, and what an operator does: `isHeld` the session, `isBlank` all screens. */
export function showState(state, isHeld, isBlank) {
  const isOnHold = isHeld && state === "live";
  const why = state !== "live" ? "" : isBlank ? BLANK : isHeld ? HELD : "";
  view.status.dataset.state = isOnHold ? "held" : state;
  setText(view.status, isOnHold ? "on hold" : STATES[state]);
  setText(view.held, why);
  view.held.hidden = !why;
  setText(view.empty, EMPTY[state] ?? EMPTY.live);
}

/** Shows what an operator has for all screens. */
export function showScreens({ is_blank: isBlank, announcement, language }) {
  document.body.classList.toggle("blank", isBlank);
  view.announcement.lang = language;
  view.announcement.dir = language ? direction(language) : "auto";
  view.announcement.hidden = !announcement;
  setText(view.announcement, announcement);
}

/** Says that there is nothing to read, or no longer. */
export function showEmpty(isEmpty) {
  view.empty.hidden = !isEmpty;
}
