// What changed between two texts, word by word. Pure.

// Above this many comparisons the middle counts as changed altogether: typing must not stutter.
const COMPARISONS = 1_000_000;

// Words and signs in order, each with the blanks after it; joined they are the text.
function words(text, language) {
  let segmenter;
  try {
    segmenter = new Intl.Segmenter(language, { granularity: "word" });
  } catch {
    segmenter = new Intl.Segmenter(undefined, { granularity: "word" }); // not a language tag
  }
  const found = [];
  for (const { segment } of segmenter.segment(text)) {
    if (found.length > 0 && segment.trim() === "") found[found.length - 1] += segment;
    else found.push(segment);
  }
  return found;
}

const isSame = (a, b) => a.trimEnd() === b.trimEnd();

// [{kind: "same" | "gone" | "new", text}] from `before` to `after`: the longest common subsequence
// of their words. What is not gone, joined, is `after`.
export function differences(before, after, language) {
  const old = words(before, language);
  const fresh = words(after, language);
  let start = 0;
  while (start < old.length && start < fresh.length && isSame(old[start], fresh[start])) start += 1;
  let oldEnd = old.length;
  let freshEnd = fresh.length;
  while (oldEnd > start && freshEnd > start && isSame(old[oldEnd - 1], fresh[freshEnd - 1])) {
    oldEnd -= 1;
    freshEnd -= 1;
  }
  const parts = [];
  const add = (kind, list) => {
    const text = list.join("");
    if (!text) return;
    if (parts.at(-1)?.kind === kind) parts.at(-1).text += text;
    else parts.push({ kind, text });
  };
  add("same", fresh.slice(0, start));
  compare(old.slice(start, oldEnd), fresh.slice(start, freshEnd), add);
  add("same", fresh.slice(freshEnd));
  return parts;
}

function compare(old, fresh, add) {
  if (old.length * fresh.length > COMPARISONS) {
    add("gone", old);
    add("new", fresh);
    return;
  }
  const width = fresh.length + 1;
  const common = new Uint32Array((old.length + 1) * width); // of the rest from here
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = isSame(old[i], fresh[j])
        ? common[(i + 1) * width + j + 1] + 1
        : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  let i = 0;
  let j = 0;
  while (i < old.length && j < fresh.length) {
    if (isSame(old[i], fresh[j])) {
      add("same", [fresh[j]]);
      i += 1;
      j += 1;
    } else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) {
      add("gone", [old[i]]);
      i += 1;
    } else {
      add("new", [fresh[j]]);
      j += 1;
    }
  }
  add("gone", old.slice(i));
  add("new", fresh.slice(j));
}

// [{isTerm, text}]: where a text holds one of the terms, whatever the letters' case.
export function markedTerms(text, terms) {
  const wanted = terms.filter(Boolean).sort((a, b) => b.length - a.length);
  if (wanted.length === 0) return [{ isTerm: false, text }];
  const escaped = wanted.map((term) => term.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return text
    .split(new RegExp(`(${escaped.join("|")})`, "giu"))
    .map((part, index) => ({ isTerm: index % 2 === 1, text: part }))
    .filter((part) => part.text);
}
