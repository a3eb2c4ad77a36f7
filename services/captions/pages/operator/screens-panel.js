// What all screens show: captions or nothing, and an announcement. The server's state is what is shown.

import { element } from "../shared/dom.js";
import { direction, languageName } from "../shared/languages.js";
import { setScreens } from "./operator-api.js";
import { attempt } from "./outcome.js";

const FIRST_PRESETS = ["The service begins in a few minutes.", "Please switch your phones to silent.", "We pause for a moment."];
const PRESETS_LIMIT = 12;

const byId = (id) => document.getElementById(id);
const view = {
  announced: byId("announced"),
  blank: byId("blank"),
  clear: byId("announce-clear"),
  form: byId("announce-form"),
  keep: byId("keep-preset"),
  language: byId("announcement-language"),
  presets: byId("presets"),
  text: byId("announcement"),
};

export class ScreensPanel {
  #screens = { is_blank: false, announcement: "", language: "" };
  #presets = [...FIRST_PRESETS]; // gone with the page
  #author;

  /** author(): the operator's name. */
  constructor(author) {
    this.#author = author;
    view.blank.addEventListener("click", () => this.#toggle());
    view.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#announce(view.text.value.trim(), view.language.value);
    });
    view.clear.addEventListener("click", () => this.#announce("", ""));
    view.keep.addEventListener("click", () => this.#keep(view.text.value.trim()));
    view.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        view.form.requestSubmit();
      }
    });
    this.#showPresets();
  }

  /** Screens as the server has them. */
  show({ is_blank = false, announcement = "", language = "" } = {}) {
    this.#screens = { is_blank, announcement, language };
    view.blank.setAttribute("aria-pressed", is_blank);
    view.blank.textContent = is_blank ? "Screens are blank. Show captions again" : "Blank all screens";
    view.clear.disabled = announcement === "";
    view.announced.replaceChildren(announcement ? "Shown now: " : "No announcement is shown.");
    if (!announcement) return;
    const shown = element("q", "", announcement);
    if (language) {
      shown.lang = language;
      shown.dir = direction(language);
    }
    view.announced.append(shown);
  }

  setLanguages(languages) {
    const options = ["", ...languages];
    if ([...view.language.options].map((each) => each.value).join() === options.join()) return;
    const chosen = view.language.value;
    view.language.replaceChildren(
      ...options.map((tag) => {
        const option = element("option", "", tag ? languageName(tag) : "not said");
        option.value = tag;
        return option;
      }),
    );
    view.language.value = options.includes(chosen) ? chosen : "";
  }

  #toggle() {
    const isBlank = !this.#screens.is_blank;
    return this.#set({ is_blank: isBlank }, isBlank ? "All screens are blank." : "Screens show captions again.");
  }

  async #announce(announcement, language) {
    if (!announcement && !this.#screens.announcement) {
      view.text.focus();
      return;
    }
    const words = announcement ? "All screens show the announcement." : "The announcement was taken away.";
    if ((await this.#set({ announcement, language }, words)) && announcement) view.text.value = "";
  }

  async #set(change, words) {
    // Only what changes is sent: what is known here of the rest may be a second old.
    const isDone = await attempt(() => setScreens(change, this.#author()), words, "The screens stay as they are");
    if (isDone) this.show({ ...this.#screens, ...change });
    return isDone;
  }

  #keep(text) {
    if (!text || this.#presets.includes(text)) return;
    this.#presets = [text, ...this.#presets].slice(0, PRESETS_LIMIT);
    this.#showPresets();
  }

  #showPresets() {
    view.presets.replaceChildren(
      ...this.#presets.map((text) => {
        const button = element("button", "quiet", text);
        button.type = "button";
        button.addEventListener("click", () => {
          view.text.value = text;
          view.text.focus();
        });
        const line = element("li");
        line.append(button);
        return line;
      }),
    );
  }
}
