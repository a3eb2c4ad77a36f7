// The page's colours and the size of its text, as the person likes them.

import { SIZES } from "./preferences.js";

const GROUNDS = { dark: "#101215", light: "#fbf8f2" }; // --ground in phone.css
const prefersLight = matchMedia("(prefers-color-scheme: light)");
let wantedTheme = "system";

function applyTheme() {
  const system = prefersLight.matches ? "light" : "dark";
  const theme = wantedTheme === "system" ? system : wantedTheme;
  document.documentElement.dataset.theme = theme;
  document.querySelector("meta[name=theme-color]").content = GROUNDS[theme];
}

prefersLight.addEventListener?.("change", applyTheme);

/** Applies {theme, size} of the preferences to the page. */
export function applyAppearance({ theme, size }) {
  wantedTheme = theme;
  applyTheme();
  document.documentElement.style.setProperty("--scale", SIZES[size]);
}
