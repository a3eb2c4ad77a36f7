// What the operator of a projector sets: a panel that comes with the mouse or a key, and goes by itself.

import { element } from "../shared/dom.js";
import { languageName } from "../shared/languages.js";
import { count, flag, list, number, oneOf, rememberParameter, text } from "../shared/parameters.js";

const IDLE_MS = 6000;
const SIZE_STEP = 0.2;
const LARGEST = { size: 12, lines: 12 };
const SMALLEST = { size: 1, lines: 1 };

/** What the page's address may say; `size` in hundredths of the screen's width, 0 for what suits. */
export const PARAMETERS = {
  session: text(80),
  language: list(4, ["target"]),
  size: number(SMALLEST.size, LARGEST.size, 0),
  lines: count(SMALLEST.lines, LARGEST.lines, 6),
  theme: oneOf(["dark", "light"], "dark"),
  qr: flag(true),
  drafts: flag(true),
};

/** The size of text with so many columns: 30 to 40 letters a line, in most fonts. */
export const defaultSize = (columns) => [4.6, 2.8, 2, 1.6][columns - 1];

const byId = (id) => document.getElementById(id);

/** Changes `choice` and calls `onChange` with the name of what changed; `look` gives what it tells about: {captions, stage, state}. */
export class Panel {
  #choice;
  #onChange;
  #look;
  #form = byId("settings");
  #idleTimer = 0;
  #ticker = 0;

  constructor(choice, onChange, look) {
    this.#choice = choice;
    this.#onChange = onChange;
    this.#look = look;
    for (const name of ["mousemove", "pointerdown"]) addEventListener(name, () => this.#show());
    addEventListener("keydown", (event) => this.#takeKey(event));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", (event) => this.#takeInput(event.target));
    byId("fullscreen").addEventListener("click", toggleFullscreen);
    document.body.classList.add("idle");
  }

  /** Shows how things are, while anybody can see it. */
  paint() {
    if (this.#form.hidden) return;
    const { size, lines, theme, qr, language } = this.#choice;
    byId("size").value = size || defaultSize(language.length);
    byId("lines").value = lines;
    byId("theme").value = theme;
    byId("qr").checked = qr;
    this.#paintLanguages();
    const { stage, state } = this.#look();
    const behindS = Math.round(stage.delayMs / 1000);
    const delay = behindS > 0 ? `${behindS} s behind the speech` : "nothing waits";
    byId("condition").textContent = state === "live" ? `live, ${delay}` : state;
  }

  #show() {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#hide(), IDLE_MS);
    if (!this.#form.hidden) return;
    this.#form.hidden = false;
    document.body.classList.remove("idle");
    this.#ticker = setInterval(() => this.paint(), 1000);
    this.paint();
  }

  #hide() {
    this.#form.hidden = true;
    document.body.classList.add("idle");
    clearInterval(this.#ticker);
  }

  #paintLanguages() {
    const { info } = this.#look().captions;
    const source = info?.source_language ?? "";
    const tags = [...new Set([...(info?.target_languages ?? []), source])].filter(Boolean);
    const named = tags.map((tag) => [tag, languageName(tag)]);
    const shown = this.#look().stage.languages;
    fill(byId("language"), named, shown.at(-1) ?? "");
    fill(byId("beside"), [["", "Nothing"], ...named], shown.length > 1 ? shown[0] : "");
  }

  #takeInput({ id, value, checked }) {
    if (id === "size") this.#set("size", Number(value));
    else if (id === "lines") this.#set("lines", within("lines", Number(value) || SMALLEST.lines));
    else if (id === "theme") this.#set("theme", value);
    else if (id === "qr") this.#set("qr", checked);
    else this.#set("language", [byId("beside").value, byId("language").value].filter(Boolean));
  }

  #takeKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isInField = event.target instanceof HTMLElement && event.target.matches("input, select");
    this.#show();
    if (isInField) return;
    const { size, lines, theme, qr, language } = this.#choice;
    const shownSize = size || defaultSize(language.length);
    const acts = {
      f: toggleFullscreen,
      o: () => this.#set("language", withSource(language)),
      l: () => this.#nextLanguage(),
      "+": () => this.#set("size", within("size", shownSize + SIZE_STEP)),
      "-": () => this.#set("size", within("size", shownSize - SIZE_STEP)),
      arrowup: () => this.#set("lines", within("lines", lines + 1)),
      arrowdown: () => this.#set("lines", within("lines", lines - 1)),
      t: () => this.#set("theme", theme === "dark" ? "light" : "dark"),
      q: () => this.#set("qr", !qr),
    };
    const act = acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #nextLanguage() {
    const options = [...byId("language").options].map((option) => option.value);
    if (options.length === 0) return;
    const next = options[(options.indexOf(byId("language").value) + 1) % options.length];
    this.#set("language", [...this.#choice.language.slice(0, -1), next]);
  }

  #set(name, value) {
    this.#choice[name] = value;
    const written = typeof value === "boolean" ? Number(value) : value;
    rememberParameter(name, name === "size" ? value.toFixed(1) : String(written));
    this.#onChange(name);
  }
}

const within = (name, value) => Math.min(LARGEST[name], Math.max(SMALLEST[name], value));

const withSource = (languages) =>
  languages.length > 1 ? languages.slice(-1) : ["source", ...languages];

function toggleFullscreen() {
  // A browser that refuses stays as it is.
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  else document.documentElement.requestFullscreen().catch(() => {});
}

function fill(select, options, value) {
  const isSame = [...select.options].map((each) => each.value).join() === options.map(([tag]) => tag).join();
  if (!isSame) {
    select.replaceChildren(
      ...options.map(([tag, name]) => {
        const option = element("option", "", name);
        option.value = tag;
        return option;
      }),
    );
  }
  if (select.value !== value) select.value = value;
}
