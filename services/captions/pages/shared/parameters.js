// The query parameters of a page that is set up by its address: each with what it takes, so that a wrong
// value is told and not obeyed.

const HEX = /^([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i;
const PLAIN_COLOUR = /^[a-z0-9#(),.%/ -]{1,80}$/i;
const FAMILIES = /^[\p{L}\p{N} ,"'-]{1,120}$/u;
const LENGTH = /^(\d{1,4}(?:\.\d{1,3})?)(px|vw|vh|%)?$/;

/** A number in a range, both ends included. */
export const number = (low, high, fallback) => ({
  fallback,
  expects: `a number from ${low} to ${high}`,
  parse: (text) => {
    const value = text.trim() === "" ? NaN : Number(text);
    return value >= low && value <= high ? value : undefined;
  },
});

/** A whole number in a range. */
export const count = (low, high, fallback) => ({
  fallback,
  expects: `a whole number from ${low} to ${high}`,
  parse: (text) => (/^\d{1,4}$/.test(text) && Number(text) >= low && Number(text) <= high ? Number(text) : undefined),
});

/** 1 or 0. */
export const flag = (fallback) => ({
  fallback,
  expects: "1 or 0",
  parse: (text) => ({ __proto__: null, 1: true, true: true, 0: false, false: false })[text.toLowerCase()],
});

/** One of some words. */
export const oneOf = (words, fallback) => ({
  fallback,
  expects: words.join(", "),
  parse: (text) => words.find((each) => each === text.toLowerCase()),
});

/** A CSS length: pixels when no unit is given. `limits` by unit, {px: [8, 400]}: the others are refused. */
export const length = (limits, fallback) => ({
  fallback,
  expects: Object.entries(limits)
    .map(([unit, [low, high]]) => `${low}${unit} to ${high}${unit}`)
    .join(", or "),
  parse: (text) => {
    const [, amount, unit = "px"] = LENGTH.exec(text.toLowerCase()) ?? [];
    const [low, high] = limits[unit] ?? [];
    return Number(amount) >= low && Number(amount) <= high ? `${amount}${unit}` : undefined;
  },
});

/** A colour as CSS knows it; hexadecimal ones without the #, which ends a query. */
export const colour = (fallback) => ({
  fallback,
  expects: "a colour: ffcc00, 000000cc, gold, rgba(0,0,0,0.6), transparent",
  parse: (text) => {
    const value = HEX.test(text) ? `#${text}` : text;
    const isColour = PLAIN_COLOUR.test(value) && !/var|url/i.test(value) && CSS.supports("color", value);
    return isColour ? value : undefined;
  },
});

/** Font families of this machine. */
export const families = (fallback) => ({
  fallback,
  expects: "names of fonts on this machine, with commas",
  parse: (text) => (FAMILIES.test(text) && CSS.supports("font-family", text) ? text : undefined),
});

/** Any text up to a length. */
export const text = (limit, fallback = "") => ({
  fallback,
  expects: `at most ${limit} characters`,
  parse: (given) => (given.length <= limit ? given.trim() : undefined),
});

/** Several texts, with commas. */
export const list = (limit, fallback) => ({
  fallback,
  expects: `at most ${limit}, with commas`,
  parse: (given) => {
    const parts = given.split(",").map((each) => each.trim()).filter(Boolean);
    return parts.length > 0 && parts.length <= limit && given.length <= 200 ? parts : undefined;
  },
});

/**
 * Reads `search` (location.search) by `definitions`, {name: definition}.
 * @returns {{values: object, problems: string[]}} a problem for each value that was not understood; its
 *   fallback is taken instead. An empty value is as none.
 */
export function readParameters(search, definitions) {
  const query = new URLSearchParams(search);
  const values = {};
  const problems = [];
  for (const [name, { fallback, expects, parse }] of Object.entries(definitions)) {
    const given = query.get(name);
    const value = given ? parse(given) : fallback;
    if (value === undefined) problems.push(`${name}=${given.slice(0, 80)} is not understood: it takes ${expects}`);
    values[name] = value ?? fallback;
  }
  return { values, problems };
}

/** Writes a value into the page's address; the fallback, or null, takes it out. */
export function rememberParameter(name, value) {
  const url = new URL(location.href);
  if (value === null) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  history.replaceState(null, "", url);
}
