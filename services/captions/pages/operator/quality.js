// What qe's signals say about one translation, in a level, a shape and words. Pure. The score that
// decides what is collected is another one, and the collector's.

// The bands of services/collector/bands.py.
const GOOD = 0.7;
const DOUBTFUL = 0.5;
// The learned estimate, and what stands in for it where that is not installed: rules, which find faults and
// know nothing of a sentence without any.
const LEARNED = "translation_qe";
const ESTIMATES = [LEARNED, "heuristic_quality"];
// As docs/architecture.md caps a pair.
const CHECKS = [
  ["negation_parity", 1, "a “not” was lost or won"],
  ["number_parity", 1, "numbers differ"],
  ["bible_references", 1, "Bible references differ"],
  ["glossary_terms", 1, "a word of the church is missing"],
  ["repetition", 0.5, "it repeats itself"],
];
const FLAGS = {
  copied: "mostly the original",
  low_confidence: "heard with doubt",
  missing_term: "a word of the church is missing",
  no_speech: "perhaps no speech",
  repetition: "it repeats itself",
  runaway: "the engine ran away",
  second_pass: "heard twice",
  shed: "by the smaller engine",
  truncated_source: "cut within a word",
};
const SHAPES = { good: "●", doubtful: "▲", poor: "■", none: "○" };

export const flagWords = (flag) => FLAGS[flag] ?? flag;

// signals: [{name, value, model}], null while not scored. -> {level, shape, label, detail, doubts}
export function quality(signals, flags = []) {
  const value = (name) => signals?.find((signal) => signal.name === name)?.value ?? null;
  const estimate = ESTIMATES.find((name) => value(name) !== null);
  const doubts = new Set(flags.map(flagWords));
  for (const [name, least, words] of CHECKS) {
    if (value(name) !== null && value(name) < least) doubts.add(words);
  }
  const level = levelOf(estimate ? value(estimate) : null, doubts.size > 0);
  if (level === "good" && estimate !== LEARNED) {
    return { level: "none", shape: SHAPES.none, label: "rules found no fault", detail: detailOf(signals), doubts: [] };
  }
  return {
    level,
    shape: SHAPES[level],
    label: labelOf(level, signals, estimate ? value(estimate) : null),
    detail: detailOf(signals),
    doubts: [...doubts],
  };
}

function levelOf(estimate, hasDoubts) {
  if (estimate === null) return hasDoubts ? "doubtful" : "none";
  if (estimate < DOUBTFUL) return "poor";
  return estimate < GOOD || hasDoubts ? "doubtful" : "good";
}

function labelOf(level, signals, estimate) {
  if (estimate !== null) return `${level} ${estimate.toFixed(2)}`;
  const state = signals ? "not measured" : "not scored yet";
  return level === "none" ? state : `${level}, ${state}`;
}

const detailOf = (signals) => (signals ?? []).map(signalText).join("\n");

const signalText = ({ name, value, model }) =>
  `${name}: ${typeof value === "number" ? value.toFixed(2) : "not measured"} (${model})`;
