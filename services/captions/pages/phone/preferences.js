// How a person likes to read. Kept when the browser lets it, for nothing else is: no text, no session.

const KEY = "glossa.reading";
const CHOICES = {
  view: ["both", "target"],
  theme: ["system", "light", "dark"],
};
/** Factors of the text's size; the one in use is an index into them. */
export const SIZES = [0.8, 0.9, 1, 1.2, 1.4, 1.7, 2.1, 2.6];
const DEFAULTS = { language: "", view: "both", theme: "system", size: SIZES.indexOf(1), wake: false };

/** What was chosen before, with defaults for what was not, or is nothing that can be chosen. */
export function loadPreferences() {
  let stored = {};
  try {
    stored = JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    // The browser keeps nothing, or somebody else wrote there.
  }
  const known = { ...DEFAULTS };
  for (const [name, choices] of Object.entries(CHOICES)) {
    if (choices.includes(stored[name])) known[name] = stored[name];
  }
  if (typeof stored.language === "string") known.language = stored.language;
  if (Number.isInteger(stored.size) && SIZES[stored.size]) known.size = stored.size;
  known.wake = stored.wake === true;
  return known;
}

/** Keeps them if the browser lets it. */
export function savePreferences(preferences) {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // They hold until the page is closed.
  }
}
