// Correcting a text where it stands. A draft is kept until it is saved or thrown away by its writer.

import { element } from "../shared/dom.js";

const MAX_CHARACTERS = 2_000; // as the gateway takes it

export class LineEditor {
  #cell;
  #field;
  #problem;
  #shownText; // when the editing began, or when the writer was told of a newer one
  #hasWarned = false;
  #isSaving = false;
  #onSave;

  /** `onSave(text)` resolves when it is in the journal, and throws with a message for people. */
  constructor(cell, onSave) {
    this.#cell = cell;
    this.#onSave = onSave;
    this.#shownText = cell.line.stable_text;
    this.element = element("form", "editor");
    this.#field = element("textarea", "text");
    this.#field.value = this.#shownText;
    this.#field.maxLength = MAX_CHARACTERS;
    this.#field.rows = 1;
    this.#field.lang = cell.language;
    this.#field.dir = cell.text.dir;
    this.#field.setAttribute("aria-label", "Corrected text");
    this.#problem = element("p", "problem");
    this.#problem.setAttribute("role", "alert");
    const actions = element("div", "actions");
    const save = element("button", "main", "Save");
    save.type = "submit";
    const cancel = element("button", "quiet", "Cancel");
    cancel.type = "button";
    cancel.addEventListener("click", () => this.close());
    actions.append(save, cancel);
    this.element.append(this.#field, this.#problem, actions);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    cell.text.hidden = true;
    cell.text.after(this.element);
    cell.editor = this;
    this.#field.focus();
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
  }

  get isChanged() {
    return this.#field.value.trim() !== this.#shownText;
  }

  /** The line as it is now: somebody else may have changed it. */
  notice(line) {
    if (this.#isSaving || !line || line.stable_text === this.#shownText) return;
    const isUntouched = !this.isChanged;
    this.#shownText = line.stable_text;
    if (isUntouched) this.#field.value = line.stable_text;
    this.#hasWarned = true;
    this.#problem.textContent = `Somebody changed this line meanwhile. It is now: “${line.stable_text}”. Enter replaces it with your text.`;
  }

  close() {
    this.element.remove();
    this.#cell.text.hidden = false;
    this.#cell.editor = null;
    this.#cell.text.focus();
  }

  #key(event) {
    if (event.isComposing) return; // the Enter and Esc of an input method are its own
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#save();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
    }
  }

  async #save() {
    if (this.#isSaving) return;
    const text = this.#field.value.trim();
    if (!text) {
      this.#problem.textContent = "A line cannot be empty. To take it off the screens, hide it.";
      return;
    }
    if (!this.isChanged && !this.#hasWarned) {
      this.close();
      return;
    }
    this.#isSaving = true;
    this.#field.readOnly = true;
    try {
      await this.#onSave(text);
      this.close();
    } catch (error) {
      this.#problem.textContent = `Not saved: ${error.message} Your text is kept here.`;
      this.#field.focus();
    } finally {
      this.#isSaving = false;
      this.#field.readOnly = false;
    }
  }
}
