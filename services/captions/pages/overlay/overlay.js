// Captions over a stream: a transparent page for OBS's Browser Source, set up by its address alone.

import { stageOptions, applyLook, PARAMETERS } from "./look.js";
import { Stage } from "../audience/stage.js";
import { ensureAccess, signIn } from "../shared/access.js";
import { Captions } from "../shared/captions.js";
import { Feed } from "../shared/feed.js";
import { direction } from "../shared/languages.js";
import { readParameters } from "../shared/parameters.js";

const REFUSED_RETRY_MS = 30_000;
// Browser Source knows no console: what is wrong is said on the card, /overlay?help=1, too.
const { values, problems } = readParameters(location.search, PARAMETERS);
for (const problem of problems) console.warn(`${problem}; /overlay?help=1 teaches all parameters`);

const view = {
  body: document.body,
  stage: document.getElementById("stage"),
  announcement: document.getElementById("announcement"),
};
applyLook(values, view);

const captions = new Captions();
const stage = new Stage(view.stage, captions, stageOptions(values));

function takeEvent(event) {
  if (event.opened) stage.noteOpened();
  const change = captions.take(event);
  stage.take(change);
  paintScreens(captions.screens);
}

function paintScreens({ is_blank: isBlank, announcement, language }) {
  view.body.classList.toggle("blank", isBlank);
  view.announcement.hidden = !announcement || !values.announcements;
  if (view.announcement.textContent === announcement) return;
  view.announcement.textContent = announcement;
  view.announcement.lang = language;
  view.announcement.dir = language ? direction(language) : "auto";
}

async function follow(feed) {
  try {
    if (values.token) await signIn(values.token);
    else await ensureAccess();
  } catch (error) {
    console.warn(error.message); // the feed finds the service, or says that it is refused
  }
  feed.start();
}

if (new URLSearchParams(location.search).get("help")) {
  const { openHelp } = await import("./help.js");
  openHelp({ values, problems, takeEvent, apply: () => {
    applyLook(values, view);
    stage.set(stageOptions(values));
  } });
} else {
  const feed = new Feed({
    session: values.session,
    onEvent: takeEvent,
    onState: (state) => {
      if (state === "refused") setTimeout(() => follow(feed), REFUSED_RETRY_MS);
    },
  });
  follow(feed);
}
