// The review page: one pair at a time, which nobody else has meanwhile. What was typed is never
// thrown away by anything but its reviewer's own decision.

import { Refused, Unreachable, call, progress, releaseOnLeaving, setToken } from "./review-api.js";
import * as audio from "./review-audio.js";
import { isOpen as isDialogOpen, question, showHelp } from "./review-dialogs.js";
import * as view from "./review-view.js";

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 5000;
const LOOK_AGAIN_MS = 3000;
const IDLE_MS = 5 * 60 * 1000; // who has not touched anything for so long has gone
const NAME_KEY = "glossa-reviewer";

const byId = (id) => document.getElementById(id);
const buttons = {
  accept: byId("accept"),
  next: byId("next"),
  reject: byId("reject"),
  revert: byId("revert"),
  skip: byId("skip"),
  undo: byId("undo"),
};
const notice = byId("notice");
const status = byId("status");
const reviewerButton = byId("reviewer");

const wanted = new URLSearchParams(location.search);
const sessionId = wanted.get("session") ?? ""; // empty: all sessions
let wantedPair = wanted.get("pair") ?? ""; // the first pair to show; empty: the most doubtful one

let reviewer = localStorage.getItem(NAME_KEY) ?? "";
let item = null; // the pair on the screen
let isLost = false; // somebody else has it, or decided about it
let isBusy = false; // one operation at a time
let lastTouch = Date.now();
let renewTimer = 0;
const said = { connection: "", pair: "" };

// ---- What is told -----------------------------------------------------------------------------

function tell(about, text) {
  if (said[about] === text) return;
  said[about] = text;
  notice.textContent = [said.connection, said.pair].filter(Boolean).join(" ");
}

function setBusy(value) {
  isBusy = value;
  view.setReadOnly(value);
  showButtons();
}

function showButtons() {
  const canDecide = item !== null && !isLost && !isBusy;
  for (const button of [buttons.accept, buttons.reject, buttons.skip]) {
    // Not `disabled`: the focus would be lost each time.
    button.ariaDisabled = String(!canDecide);
  }
  buttons.undo.ariaDisabled = String(isBusy);
  buttons.revert.hidden = !view.isChanged();
  buttons.next.hidden = !isLost;
  byId("actions").hidden = item === null;
}

const WANTS_TOKEN = new Set(["TOKEN_WANTED", "TOKEN_UNKNOWN", "TOKEN_EXPIRED", "ROLE_TOO_SMALL"]);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- Operations -------------------------------------------------------------------------------

// What a call answers, however long that takes. Throws Refused.
async function patiently(send) {
  let waitMs = FIRST_BACKOFF_MS;
  for (;;) {
    try {
      const answer = await send();
      tell("connection", "");
      return answer;
    } catch (error) {
      if (error instanceof Unreachable) {
        tell("connection", `${error.message} What you typed is kept; trying again.`);
        await pause(waitMs);
        waitMs = Math.min(2 * waitMs, LONGEST_BACKOFF_MS);
      } else if (WANTS_TOKEN.has(error.reason)) {
        await askToken(error.message);
      } else {
        throw error;
      }
    }
  }
}

// Runs one operation; another one meanwhile is not begun.
async function exclusively(operation) {
  if (isBusy) return;
  setBusy(true);
  try {
    await operation();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell("pair", error.message);
  } finally {
    setBusy(false);
  }
}

// Sends what needs the lease, which is taken again when it was lost.
async function holding(send) {
  try {
    return await patiently(send);
  } catch (error) {
    if (error.reason !== "LEASE_LOST") throw error;
  }
  await regain();
  return patiently(send);
}

async function regain() {
  let again;
  try {
    again = await patiently(() =>
      call("lease", { reviewer, session_id: "", pair_id: item.pair.pair_id }),
    );
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    isLost = true;
    throw new Refused(error.reason, `${error.message} What you typed stays here until you go on.`);
  }
  isLost = false;
  const isSame =
    again.item.pair.source_text === item.pair.source_text &&
    again.item.pair.target_text === item.pair.target_text;
  item = again.item;
  if (!isSame) {
    view.update(item);
    throw new Refused("CHANGED", "Somebody changed this pair meanwhile; look at it once more.");
  }
  tell("pair", "");
}

async function takeNext() {
  const pairId = wantedPair;
  wantedPair = "";
  const answer = await patiently(() =>
    call("lease", { reviewer, session_id: sessionId, pair_id: pairId }),
  );
  show(answer);
}

function show(answer) {
  item = answer.item;
  isLost = false;
  tell("pair", "");
  view.showProgress(answer.progress);
  audio.show(item);
  if (item) {
    view.showPair(item);
  } else {
    view.showEmpty();
  }
  showButtons();
  schedule();
}

const DONE = { accepted: "Accepted.", fixed: "Fix saved.", rejected: "Rejected." };

function decide(wish) {
  if (!item || isLost) return;
  const decision = wish === "accepted" && view.isChanged() ? "fixed" : wish;
  // With what was shown: what somebody changed since must be neither accepted nor overwritten unseen.
  const texts =
    decision === "rejected"
      ? {}
      : {
          ...view.texts(),
          shown_source_text: item.pair.source_text,
          shown_target_text: item.pair.target_text,
        };
  if (texts.source_text === "" || texts.target_text === "") {
    tell("pair", "A text is empty: reject the pair if it is worth nothing.");
    return;
  }
  exclusively(async () => {
    try {
      await holding(() => call("submit", { lease_id: item.lease_id, decision, ...texts }));
    } catch (error) {
      if (error.reason === "INVALID_DECISION") await regain(); // says what changed
      throw error;
    }
    status.textContent = DONE[decision];
    await takeNext();
  });
}

function skip() {
  if (!item || isLost) return;
  exclusively(async () => {
    await holding(() => call("release", { lease_id: item.lease_id, skip: true }));
    status.textContent = "Skipped.";
    await takeNext();
  });
}

function undo() {
  if (view.isChanged()) {
    tell("pair", "Decide about what you typed, or take it back, before you undo the last decision.");
    return;
  }
  exclusively(async () => {
    show(await patiently(() => call("undo", { reviewer })));
    status.textContent = "Your last decision is taken back.";
  });
}

function next() {
  if (isLost) exclusively(takeNext);
}

function revert() {
  if (isBusy) return;
  view.revert();
  showButtons();
}

// ---- Keeping the pair, and giving it back -----------------------------------------------------

function schedule() {
  clearTimeout(renewTimer);
  const leaseMs = item ? item.lease_s * 1000 : 0;
  renewTimer = setTimeout(tick, item ? Math.max(500, leaseMs / 3) : LOOK_AGAIN_MS);
}

// Keeps the pair of somebody who is there; looks for another one where nothing waits.
async function tick() {
  const isThere = !document.hidden && Date.now() - lastTouch < IDLE_MS;
  if (!isBusy && !isDialogOpen() && !document.hidden) {
    if (!item) await exclusively(takeNext);
    else if (isThere) await renew();
  }
  schedule();
}

async function renew() {
  const leaseId = item.lease_id;
  try {
    if (isLost) {
      await exclusively(regain);
    } else {
      await call("renew", { lease_id: leaseId });
    }
    view.showProgress((await progress(sessionId)).progress);
    tell("connection", "");
  } catch (error) {
    if (error instanceof Unreachable) {
      tell("connection", `${error.message} What you typed is kept; trying again.`);
    } else if (item?.lease_id === leaseId && error.reason === "LEASE_LOST") {
      await exclusively(regain);
    }
    // Whatever else was refused comes up again with the next decision.
  }
}

addEventListener("pagehide", () => {
  if (item && !isLost) releaseOnLeaving(item.lease_id);
});
addEventListener("pageshow", (event) => {
  if (event.persisted && item) exclusively(regain); // back out of the browser's cache
});
addEventListener("beforeunload", (event) => {
  if (view.isChanged()) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  lastTouch = Date.now();
  tick(); // timers of a hidden page come late
});

function touched() {
  const wasAway = Date.now() - lastTouch >= IDLE_MS;
  lastTouch = Date.now();
  if (wasAway) tick();
}

// ---- Who reviews ------------------------------------------------------------------------------

async function askName() {
  reviewer = await question({
    title: "Who are you?",
    text: "Your name stands beside your decisions. Two people need two names.",
    label: "Your name",
    answer: reviewer,
  });
  localStorage.setItem(NAME_KEY, reviewer);
  reviewerButton.textContent = reviewer;
  reviewerButton.ariaLabel = `Reviewer: ${reviewer}; choose another name`;
}

async function askToken(message) {
  setToken(
    await question({
      title: "This page is for reviewers",
      text: message,
      label: "Token",
      isSecret: true,
    }),
  );
}

function changeReviewer() {
  if (view.isChanged()) {
    tell("pair", "Decide about what you typed, or take it back, before somebody else goes on.");
    return;
  }
  exclusively(async () => {
    const before = item;
    await askName();
    if (before && !isLost) {
      await patiently(() => call("release", { lease_id: before.lease_id, skip: false })).catch(() => {});
    }
    await takeNext();
  });
}

// ---- Keys and buttons -------------------------------------------------------------------------

const KEYS = {
  Enter: () => decide("accepted"),
  a: () => decide("accepted"),
  r: () => decide("rejected"),
  s: skip,
  u: undo,
  n: next,
  z: revert,
  e: () => byId("target").focus(),
  o: () => byId("source").focus(),
  p: audio.toggle,
  l: audio.replay,
  ",": () => audio.changeSpeed(-1),
  ".": () => audio.changeSpeed(1),
  "?": showHelp,
};

document.addEventListener("keydown", (event) => {
  touched();
  // Held down, Enter would accept one pair after the other unseen.
  if (event.isComposing || event.repeat || isDialogOpen()) return;
  const isText = event.target.matches("textarea, input:not([type=checkbox])");
  if (isText) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      decide("accepted");
    } else if (event.key === "Escape") {
      byId("pair-title").focus();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // Enter on a button presses that button.
  if (event.key === "Enter" && event.target.matches("button, select, summary, input")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
document.addEventListener("pointerdown", touched);
document.addEventListener("input", () => {
  touched();
  showButtons();
});

buttons.accept.addEventListener("click", () => decide("accepted"));
buttons.reject.addEventListener("click", () => decide("rejected"));
buttons.skip.addEventListener("click", skip);
buttons.undo.addEventListener("click", undo);
buttons.next.addEventListener("click", next);
buttons.revert.addEventListener("click", revert);
byId("show-help").addEventListener("click", showHelp);
reviewerButton.addEventListener("click", changeReviewer);

exclusively(async () => {
  if (reviewer) {
    reviewerButton.textContent = reviewer;
    reviewerButton.ariaLabel = `Reviewer: ${reviewer}; choose another name`;
  } else {
    await askName();
  }
  await takeNext();
});
