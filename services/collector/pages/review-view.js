// What is on the screen of one pair. Text from the network is only ever put in place with
// textContent or as the value of a field.

import { differences, markedTerms } from "./review-words.js";

const byId = (id) => document.getElementById(id);
const view = {
  acceptText: byId("accept-text"),
  empty: byId("empty"),
  pair: byId("pair"),
  progress: byId("progress"),
  progressText: byId("progress-text"),
  reasons: byId("reasons"),
  scores: byId("scores"),
  signals: byId("signals"),
  source: byId("source"),
  sourceLanguage: byId("source-language"),
  sourceMarked: byId("source-marked"),
  target: byId("target"),
  targetLanguage: byId("target-language"),
  targetMarked: byId("target-marked"),
  terms: byId("terms"),
  termsList: byId("terms-list"),
  title: byId("pair-title"),
};

const REASONS = {
  disagreement: "translations disagree",
  doubtful_speech: "speech is doubtful",
  doubtful_translation: "translation is doubtful",
  low_score: "low score",
  missing_term: "a word of the church is missing",
  negation: "a “not” was lost or won",
  not_measured: "not everything was measured",
  number: "numbers differ",
};

let shown = null; // the item
let given = { source: "", target: "" }; // the fields as they were filled

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

// ---- Languages ------------------------------------------------------------------------------

function direction(tag) {
  try {
    const locale = new Intl.Locale(tag);
    return (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? "auto";
  } catch {
    return "auto";
  }
}

function languageName(tag) {
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag; // not a language tag: it stands for itself
  }
}

// ---- A pair ---------------------------------------------------------------------------------

export function showPair(item) {
  const { pair } = item;
  shown = item;
  view.empty.hidden = true;
  view.pair.hidden = false;
  view.title.textContent = `${pair.session_id} · ${clock(pair.start_offset_ms)}`;
  view.reasons.replaceChildren(
    ...item.reasons.map((reason) => element("li", REASONS[reason] ?? reason)),
  );
  for (const [field, name, marked, tag] of [
    [view.source, view.sourceLanguage, view.sourceMarked, pair.source_language],
    [view.target, view.targetLanguage, view.targetMarked, pair.target_language],
  ]) {
    name.textContent = languageName(tag);
    for (const each of [field, marked]) {
      each.lang = tag;
      each.dir = direction(tag);
    }
  }
  fill(pair);
  view.scores.replaceChildren(
    ...score("score", pair.quality_score),
    ...score("recogniser", pair.stt_confidence),
    ...score("learned estimate", pair.translation_qe),
    ...score("agreement", pair.marian_agreement),
  );
  view.signals.replaceChildren(
    ...pair.signals.flatMap((signal) => score(signal.name, signal.value, signal.model)),
    ...pair.flags.flatMap((flag) => [element("dt", flag), element("dd", "flagged")]),
    ...[pair.stt_model, pair.mt_model].flatMap((model, index) => [
      element("dt", index === 0 ? "recognised by" : "translated by"),
      element("dd", model),
    ]),
  );
  view.title.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function fill(pair) {
  view.source.value = pair.source_text;
  view.target.value = pair.target_text;
  // As the fields have them: they make every line break the same.
  given = { source: view.source.value, target: view.target.value };
  mark();
}

// The same pair as somebody else changed it meanwhile; what was typed here stays.
export function update(item) {
  const typed = { source: view.source.value, target: view.target.value };
  const was = given;
  shown = item;
  fill(item.pair);
  if (typed.source !== was.source) view.source.value = typed.source;
  if (typed.target !== was.target) view.target.value = typed.target;
  mark();
}

export function revert() {
  view.source.value = given.source;
  view.target.value = given.target;
  mark();
}

export function showEmpty() {
  shown = null;
  view.pair.hidden = true;
  const isNew = view.empty.hidden;
  view.empty.hidden = false;
  if (isNew) view.empty.querySelector("h2").focus({ preventScroll: true });
}

const changed = (name) => view[name].value.trim() !== given[name].trim();

export const isChanged = () => shown !== null && (changed("source") || changed("target"));

// As they shall be; one that was not touched is as it came, to the last blank.
export const texts = () => ({
  source_text: changed("source") ? view.source.value.trim() : shown.pair.source_text,
  target_text: changed("target") ? view.target.value.trim() : shown.pair.target_text,
});

export function setReadOnly(isReadOnly) {
  view.source.readOnly = isReadOnly;
  view.target.readOnly = isReadOnly;
}

// ---- What is marked in it -------------------------------------------------------------------

function mark() {
  const { pair } = shown;
  const terms = pair.missing_terms;
  markField(view.sourceMarked, view.source.value, pair.original_source_text, pair.source_language,
    terms.map((term) => term.source));
  markField(view.targetMarked, view.target.value, pair.original_target_text, pair.target_language,
    terms.map((term) => term.target));
  view.terms.hidden = terms.length === 0;
  const target = view.target.value.toLocaleLowerCase();
  view.termsList.replaceChildren(
    ...terms.map((term) => {
      const isThere = target.includes(term.target.toLocaleLowerCase());
      const line = element("li", "", isThere ? "there" : "missing");
      const source = element("bdi", term.source);
      source.lang = pair.source_language;
      const wanted = element("bdi", term.target);
      wanted.lang = pair.target_language;
      line.append(source, " → ", wanted, isThere ? ": there now" : ": missing");
      return line;
    }),
  );
  view.acceptText.textContent = isChanged() ? "Save the fix" : "Accept";
}

function markField(marked, text, original, language, terms) {
  if (text !== original) {
    const tags = { gone: "del", new: "ins", same: "span" };
    marked.replaceChildren(
      ...differences(original, text, language).map((part) => element(tags[part.kind], part.text)),
    );
  } else {
    const parts = markedTerms(text, terms);
    const hasTerm = parts.some((part) => part.isTerm);
    marked.replaceChildren(
      ...(hasTerm ? parts.map((part) => element(part.isTerm ? "mark" : "span", part.text)) : []),
    );
  }
}

view.source.addEventListener("input", mark);
view.target.addEventListener("input", mark);

// ---- Figures --------------------------------------------------------------------------------

function score(name, value, model = "") {
  const text = typeof value === "number" ? value.toFixed(2) : "not measured";
  const figure = element("dd", text, typeof value === "number" ? "" : "missing");
  if (model) figure.append(" ", element("small", model));
  return [element("dt", name), figure];
}

function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

export function showProgress(progress) {
  const all = progress.open_count + progress.reviewed_count;
  view.progress.max = Math.max(1, all);
  view.progress.value = progress.reviewed_count;
  view.progressText.textContent =
    `${progress.reviewed_count} reviewed, ${progress.open_count} to go, ` +
    `${progress.leased_count} open now`;
}
