// The sheet that comes up from below: how to read, which service, and the files to download.

import { element } from "../shared/dom.js";
import { SIZES } from "./preferences.js";
import { canKeepAwake } from "../shared/wake-lock.js";

const byId = (id) => document.getElementById(id);
const view = {
  downloads: byId("downloads"),
  engines: byId("engines"),
  larger: byId("larger"),
  links: byId("download-links"),
  open: byId("open-sheet"),
  session: byId("session"),
  sheet: byId("sheet"),
  size: byId("size"),
  smaller: byId("smaller"),
  wake: byId("wake"),
};

/**
 * Wires the sheet.
 * @param {object} preferences changed in place
 * @param {{onOpen(): void, onClose(): void, onChange(): void, onSession(id: string): void}} handlers
 */
export function wireSheet(preferences, { onOpen, onClose, onChange, onSession }) {
  const show = () => {
    for (const name of ["view", "theme"]) {
      for (const radio of document.getElementsByName(name)) radio.checked = radio.value === preferences[name];
    }
    view.size.textContent = `${Math.round(SIZES[preferences.size] * 100)} %`;
    view.smaller.disabled = preferences.size === 0;
    view.larger.disabled = preferences.size === SIZES.length - 1;
    view.wake.checked = preferences.wake;
  };
  const change = (changed) => {
    Object.assign(preferences, changed);
    show();
    onChange();
  };
  for (const name of ["view", "theme"]) {
    for (const radio of document.getElementsByName(name)) {
      radio.addEventListener("change", () => change({ [name]: radio.value }));
    }
  }
  view.smaller.addEventListener("click", () => change({ size: Math.max(0, preferences.size - 1) }));
  view.larger.addEventListener("click", () => change({ size: Math.min(SIZES.length - 1, preferences.size + 1) }));
  view.wake.addEventListener("change", () => change({ wake: view.wake.checked }));
  view.session.addEventListener("change", () => onSession(view.session.value));
  byId("wake-choice").hidden = !canKeepAwake();
  wireDialog(onOpen, onClose);
  show();
}

/** Whether somebody looks at it. */
export const isSheetOpen = () => view.sheet.hasAttribute("open");

function wireDialog(onOpen, onClose) {
  const close = () => {
    if (view.sheet.close) view.sheet.close();
    else {
      view.sheet.removeAttribute("open");
      onClose();
    }
  };
  view.sheet.addEventListener("close", onClose);
  view.open.addEventListener("click", () => {
    onOpen();
    if (view.sheet.showModal) view.sheet.showModal();
    else view.sheet.setAttribute("open", "");
  });
  byId("close-sheet").addEventListener("click", close);
  // A tap beside it; everything inside lies in an element of its own.
  view.sheet.addEventListener("click", (event) => event.target === view.sheet && isBeside(event) && close());
}

function isBeside({ clientX, clientY }) {
  const { top, bottom, left, right } = view.sheet.getBoundingClientRect();
  return clientY < top || clientY > bottom || clientX < left || clientX > right;
}

/** Offers the sessions to choose from. */
export function showSessions(sessions, chosen) {
  fillSelect(view.session, [["", "The newest"], ...sessions.map((each) => [each.session_id, sessionName(each)])], chosen);
}

/** Offers these links, as list items; hidden without any. */
export function showDownloads(links) {
  view.downloads.hidden = links.length === 0;
  view.links.replaceChildren(...links);
}

/** Names the engines that wrote the captions. */
export function showEngines(models) {
  view.engines.textContent = models.length ? `Written by machines, mistakes included: ${models.join("  →  ")}` : "";
}

/** Makes `options`, [value, text, lang?] each, the options of a select; untouched when they are already. */
export function fillSelect(select, options, value) {
  const same =
    select.options.length === options.length &&
    options.every(([id, text], i) => select.options[i].value === id && select.options[i].text === text);
  if (!same) {
    select.replaceChildren(
      ...options.map(([id, text, lang = ""]) => {
        const option = element("option", "", text);
        option.value = id;
        option.lang = lang;
        return option;
      }),
    );
  }
  select.value = value;
}

function sessionName({ start_time: start, title, is_live: isLive }) {
  const time = start ? new Date(start).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "";
  return [isLive ? "●" : "", title || "Untitled", time].filter(Boolean).join(" ");
}
