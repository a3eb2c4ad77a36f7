// What the overlay's address may say, and how it looks then.

import { colour, count, families, flag, length, number, oneOf, text } from "../shared/parameters.js";

const POSITIONS = ["bottom", "bottom-left", "bottom-right", "middle", "middle-left", "middle-right", "top", "top-left", "top-right"];
const VERTICAL = { top: "start", middle: "center", bottom: "end" };
const HORIZONTAL = { left: "start", right: "end" };

/** Every parameter of /overlay, with an example and what it is for. */
export const PARAMETERS = {
  language: { ...text(35), example: "es", about: "language to read; empty: the first translation; source: what is spoken" },
  second: { ...text(35), example: "source", about: "a second language below the first" },
  lines: { ...count(1, 4, 2), example: "3", about: "lines of each language" },
  size: { ...length({ px: [8, 400], vw: [0.5, 20] }, "3.6vw"), example: "48px", about: "size of the text" },
  color: { ...colour("#ffffff"), example: "ffe9a8", about: "colour of the text" },
  background: { ...colour("rgba(0, 0, 0, 0.65)"), example: "transparent", about: "colour behind each line" },
  outline: { ...number(0, 12, 0), example: "4", about: "width of an outline around the letters, in pixels" },
  outline_color: { ...colour("#000000"), example: "202020", about: "colour of the outline" },
  shadow: { ...flag(false), example: "1", about: "a shadow behind the letters" },
  font: { ...families(""), example: "Georgia, serif", about: "fonts of the machine that streams" },
  position: { ...oneOf(POSITIONS, "bottom"), example: "top-left", about: "where the lines stand" },
  margin: { ...length({ px: [0, 1000], vw: [0, 40], vh: [0, 40] }, "4vh"), example: "60px", about: "distance from the edges" },
  width: { ...length({ "%": [10, 100], px: [100, 8000], vw: [10, 100] }, "80%"), example: "60%", about: "width of a line" },
  align: { ...oneOf(["left", "center", "right"], "center"), example: "left", about: "where a line begins in its width" },
  clear_after: { ...number(0, 3600, 10), example: "5", about: "seconds after the last words until the screen is empty; 0: never" },
  partials: { ...flag(false), example: "1", about: "words that are not firm yet, in a line of their own" },
  uppercase: { ...flag(false), example: "1", about: "capital letters" },
  announcements: { ...flag(true), example: "0", about: "the operator's announcements" },
  session: { ...text(80), example: "sunday", about: "one service; empty: the newest" },
  token: { ...text(400), example: "…", about: "the token for viewers, where one is set" },
};

/** What Stage is to do. */
export const stageOptions = ({ language, second, lines, clear_after: clearAfterS, partials }) => ({
  languages: [language || "target", second].filter(Boolean),
  lines,
  clearAfterMs: clearAfterS > 0 ? clearAfterS * 1000 : Infinity,
  showsDrafts: partials,
  isStacked: true,
});

/** Gives `body` the look that the parameters say; `stage` and `announcement` are parts of it. */
export function applyLook(values, { body, stage, announcement }) {
  const [vertical, horizontal] = values.position.split("-");
  const variables = {
    "--size": values.size,
    "--color": values.color,
    "--background": values.background,
    "--margin": values.margin,
    "--width": values.width,
    "--vertical": VERTICAL[vertical],
    "--horizontal": HORIZONTAL[horizontal] ?? "center",
    "--align": { left: "flex-start", center: "center", right: "flex-end" }[values.align],
    "--text-align": values.align,
  };
  for (const [name, value] of Object.entries(variables)) body.style.setProperty(name, value);
  body.style.fontFamily = values.font;
  stage.style.fontSize = values.size;
  for (const each of [stage, announcement]) {
    each.style.textTransform = values.uppercase ? "uppercase" : "";
    each.style.textShadow = values.shadow ? "0 0.06em 0.18em rgba(0, 0, 0, 0.9)" : "";
    each.style.webkitTextStroke = values.outline > 0 ? `${values.outline}px ${values.outline_color}` : "";
    each.style.paintOrder = "stroke fill"; // or the outline would eat into the letters
  }
  // Where no captions are.
  announcement.style.inset = vertical === "top" ? "auto 0 0" : "0 0 auto";
}
