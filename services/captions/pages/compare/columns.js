// The columns of the comparison: the original, each language, and what a second runtime made of it.

import { languageName } from "../shared/languages.js";

/** [{key, language, runtime, name}] that a JournalSession has; runtime: "" for the original, "A" or "B". */
export function columnsOf(session) {
  const [source, ...targets] = session.languages;
  if (!source) return [];
  const columns = [{ key: source, language: source, runtime: "", name: languageName(source) }];
  for (const language of targets) {
    columns.push({ key: language, language, runtime: "A", name: languageName(language) });
    if (session.timings.of(language, "B")) {
      columns.push({ key: `${language}~B`, language, runtime: "B", name: `${languageName(language)} B` });
    }
  }
  return columns;
}

/** The segment's line in a column, or nothing. */
export function lineIn(segment, { language, runtime }) {
  return (runtime === "B" ? segment.alternatives : segment.lines).get(language);
}

/** The line that a column's is compared with, or nothing. */
export function counterpart(segment, column, shownKeys) {
  const { language, runtime } = column;
  const otherKey = { A: `${language}~B`, B: language }[runtime];
  if (!shownKeys.has(otherKey)) return undefined;
  return (runtime === "B" ? segment.lines : segment.alternatives).get(language);
}
