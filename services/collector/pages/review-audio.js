// Plays what was said. The file is fetched when the pair is shown, so that `p` answers at once.

import * as api from "./review-api.js";

const byId = (id) => document.getElementById(id);
const view = {
  audio: byId("audio"),
  autoplay: byId("autoplay"),
  play: byId("play"),
  player: byId("player"),
  replay: byId("replay"),
  speed: byId("speed"),
  state: byId("audio-state"),
};

let shownPair = ""; // whose audio is loaded, or on its way
let url = "";

function clear() {
  view.player.pause();
  view.player.removeAttribute("src");
  if (url) URL.revokeObjectURL(url);
  url = "";
  shownPair = "";
  view.state.textContent = "";
}

export function show(item) {
  clear();
  view.audio.hidden = !item?.has_audio;
  if (!item?.has_audio) return;
  shownPair = item.pair.pair_id;
  load(shownPair, view.autoplay.checked);
}

async function load(pairId, playsThen) {
  view.state.textContent = "loading";
  let blob;
  try {
    blob = await api.audio(pairId);
  } catch (error) {
    if (pairId === shownPair) view.state.textContent = `No audio: ${error.message}`;
    return;
  }
  if (pairId !== shownPair) return;
  url = URL.createObjectURL(blob);
  view.player.src = url;
  setSpeed();
  view.state.textContent = "";
  if (playsThen) play();
}

async function play() {
  if (!url) {
    if (shownPair && view.state.textContent !== "loading") await load(shownPair, true);
    return;
  }
  try {
    await view.player.play();
  } catch (error) {
    // Browsers play by themselves only after the first click or key on the page.
    if (error.name === "NotAllowedError") view.state.textContent = "press p to listen";
    else if (error.name !== "AbortError") view.state.textContent = "This audio cannot be played.";
  }
}

export function toggle() {
  if (view.audio.hidden) return;
  if (view.player.paused) play();
  else view.player.pause();
}

export function replay() {
  if (view.audio.hidden) return;
  if (url) view.player.currentTime = 0;
  play();
}

function setSpeed() {
  view.player.defaultPlaybackRate = Number(view.speed.value);
  view.player.playbackRate = Number(view.speed.value);
}

export function changeSpeed(steps) {
  const last = view.speed.options.length - 1;
  view.speed.selectedIndex = Math.min(last, Math.max(0, view.speed.selectedIndex + steps));
  setSpeed();
}

view.play.addEventListener("click", toggle);
view.replay.addEventListener("click", replay);
view.speed.addEventListener("change", setSpeed);
for (const name of ["play", "pause", "ended"]) {
  view.player.addEventListener(name, () => {
    view.play.firstChild.textContent = view.player.paused ? "Play " : "Pause ";
    if (!view.player.paused) view.state.textContent = "";
  });
}
