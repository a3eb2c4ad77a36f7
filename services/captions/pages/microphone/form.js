// The fields and buttons of the microphone panel. No audio, no network.

import { element } from "../shared/dom.js";

const FIELDS = {
  title: { label: "Title", maxLength: 200 },
  source: { label: "Language spoken (BCP 47, such as en)", value: "en" },
  targets: { label: "Languages wanted, with commas", value: "es" },
};

export class Form {
  #parts = {};

  /** handlers: {onListen, onDevice, onStart, onStop, onGiveUp}. */
  constructor(root, { onListen, onDevice, onStart, onStop, onGiveUp }) {
    const parts = this.#parts;
    parts.notice = element("p", "problem");
    parts.notice.setAttribute("role", "alert");
    parts.state = element("p", "hint");
    parts.state.setAttribute("role", "status");
    parts.missing = element("p", "problem missing");
    parts.missing.setAttribute("role", "status");
    parts.device = element("select");
    parts.device.addEventListener("change", onDevice);
    parts.isProcessed = checkbox();
    parts.isProcessed.addEventListener("change", onDevice);
    parts.listen = button("Listen to the microphone", onListen);
    parts.session = element("select");
    parts.storeAudio = checkbox();
    for (const [name, { value = "", maxLength = 200 }] of Object.entries(FIELDS)) {
      parts[name] = element("input");
      Object.assign(parts[name], { name, value, maxLength, autocomplete: "off" });
    }
    parts.start = button("Start the session", null, "main");
    parts.start.type = "submit";
    parts.stop = button("Stop speaking", onStop, "danger");
    parts.giveUp = button("Give up what is not sent", onGiveUp, "quiet");
    parts.session.addEventListener("change", () => this.#showSettings());
    parts.settings = element("form", "settings");
    parts.settings.addEventListener("submit", (event) => {
      event.preventDefault();
      onStart();
    });
    this.#lay(root);
  }

  /** What getUserMedia is asked for. */
  get device() {
    return { deviceId: this.#parts.device.value, isProcessed: this.#parts.isProcessed.checked };
  }

  /** The fields of SessionConfig. */
  get config() {
    const { session, title, source, targets, storeAudio } = this.#parts;
    if (session.value) return { session_id: session.value };
    return {
      title: title.value.trim(),
      source_language: source.value.trim(),
      target_languages: targets.value.split(",").map((each) => each.trim()).filter(Boolean),
      store_audio: storeAudio.checked,
    };
  }

  setDevices(devices, inUse) {
    const { device } = this.#parts;
    const chosen = inUse || device.value;
    device.replaceChildren(
      option("", "The system’s own choice"),
      ...devices.map(({ deviceId, label }, index) => option(deviceId, label || `Microphone ${index + 1}`)),
    );
    device.value = devices.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
  }

  /** Languages as in the newest session, and the open sessions that have lost their speaker. */
  fill(newest, openSessions) {
    const { source, targets, session } = this.#parts;
    if (newest?.source_language) source.value = newest.source_language;
    if (newest?.target_languages?.length) targets.value = newest.target_languages.join(", ");
    session.replaceChildren(
      option("", "A new session"),
      ...openSessions.map((each) => option(each.session_id, `Go on with ${each.title || each.session_id}`)),
    );
    this.#showSettings();
  }

  show({ isListening, isSpeaking, isEnding }) {
    const { listen, settings, stop, giveUp, device, isProcessed } = this.#parts;
    listen.textContent = isListening ? "Stop listening" : "Listen to the microphone";
    listen.hidden = isSpeaking;
    settings.hidden = !isListening || isSpeaking;
    stop.hidden = !isSpeaking || isEnding;
    giveUp.hidden = !isSpeaking || !isEnding;
    device.disabled = isProcessed.disabled = isEnding === true;
  }

  tell(text) {
    this.#parts.state.textContent = text;
    this.#parts.notice.textContent = "";
  }

  warn(text) {
    this.#parts.state.textContent = "";
    this.#parts.notice.textContent = text;
  }

  /** How the connection goes; said again only when it changes. */
  report(text, isLost, missing) {
    const { state, notice } = this.#parts;
    if (isLost) {
      // The figure in it changes each second: a screen reader need not hear each.
      notice.textContent = text.split(";")[0];
      state.textContent = text.split(";")[1] ?? "";
    } else if (text) {
      state.textContent = text;
      notice.textContent = "";
    }
    this.#parts.missing.textContent = missing;
  }

  /** The browser cannot: says why, and nothing else. */
  refuse(text) {
    for (const part of Object.values(this.#parts)) if (part !== this.#parts.notice) part.hidden = true;
    for (const each of this.#parts.notice.parentElement.querySelectorAll("label")) each.hidden = true;
    this.#parts.notice.className = "hint"; // nothing went wrong: it is so in this browser
    this.warn(text);
  }

  #showSettings() {
    const isNew = this.#parts.session.value === "";
    for (const label of this.#parts.settings.querySelectorAll(".of-new")) label.hidden = !isNew;
  }

  #lay(root) {
    const parts = this.#parts;
    parts.settings.append(
      labelled("Session", parts.session),
      ...Object.entries(FIELDS).map(([name, { label }]) => labelled(label, parts[name], "of-new")),
      ticked(parts.storeAudio, "Keep the audio on the server, for review and training: everybody who is heard agreed to it", "of-new"),
      parts.start,
    );
    const actions = element("div", "actions");
    actions.append(parts.listen, parts.stop, parts.giveUp);
    root.append(
      parts.notice,
      parts.state,
      parts.missing,
      labelled("Microphone", parts.device),
      ticked(parts.isProcessed, "Let the browser clean the sound (for a laptop’s own microphone; not for a mixing desk)"),
      actions,
      parts.settings,
    );
  }
}

function button(text, onClick, className = "") {
  const made = element("button", className, text);
  made.type = "button";
  if (onClick) made.addEventListener("click", () => onClick());
  return made;
}

function checkbox() {
  const made = element("input");
  made.type = "checkbox";
  return made;
}

function option(value, text) {
  const made = element("option", "", text);
  made.value = value;
  return made;
}

function labelled(text, field, className = "") {
  const label = element("label", `field ${className}`.trim(), text);
  label.append(field);
  return label;
}

function ticked(field, text, className = "") {
  const label = element("label", `tick ${className}`.trim());
  label.append(field, ` ${text}`);
  return label;
}
