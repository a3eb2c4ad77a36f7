// Making elements, and putting a caption into one. Text from the network is only ever put in place with
// textContent.

import { direction, joint } from "./languages.js";

/** A new element: element("p", "source", "text"). */
export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/**
 * Shows a caption, or nothing when there is none, in `paragraph`: the firm text in span.stable, what may
 * still change in span.unstable, with the language's tag and direction. A partial has the class
 * "partial", a corrected text "corrected". What is the same already is not touched, so that nothing
 * flickers.
 */
export function fillCaption(paragraph, caption) {
  const stable = caption?.stable_text ?? "";
  const unstable = caption?.unstable_text ?? "";
  if (caption) {
    if (paragraph.lang !== caption.language) {
      paragraph.lang = caption.language;
      paragraph.dir = direction(caption.language);
    }
    if (caption.is_corrected) paragraph.title = "Corrected by a person";
    else if (paragraph.title) paragraph.removeAttribute("title");
  }
  paragraph.classList.toggle("partial", Boolean(caption) && !caption.is_final);
  paragraph.classList.toggle("corrected", Boolean(caption?.is_corrected));
  const gap = stable && unstable ? joint(caption.language) : "";
  setSpan(paragraph, "stable", stable);
  setSpan(paragraph, "unstable", unstable && gap + (gap ? unstable.trimStart() : unstable));
}

function setSpan(paragraph, className, text) {
  let span = [...paragraph.children].find((each) => each.className === className);
  if (!text) {
    span?.remove();
    return;
  }
  if (!span) {
    span = element("span", className);
    if (className === "stable") paragraph.prepend(span);
    else paragraph.append(span);
  }
  if (span.textContent !== text) span.textContent = text;
}
