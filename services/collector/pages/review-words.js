// What changed between two texts, word by word. Pure.

// Above this many comparisons the middle counts as changed altogether: typing must not stutter.
const COMPARISONS = 1_000_000;

// Words, and what stands between them, in order; joined they are the text.
export function words(text, language) {
  let segmenter;
  try {
    segmenter = new Intl.Segmenter(language, { granularity: "word" });
  } catch {
    segmenter = new Intl.Segmenter(undefined, { granularity: "word" });
  }
  return Array.from(segmenter.segment(text), (each) => each.segment);
}

// [{kind: "same" | "gone" | "new", text}] from `before` to `after`: the longest common subsequence
// of their words.
export function differences(before, after, language) {
  const old = words(before, language);
  const fresh = words(after, language);
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
  let oldEnd = old.length;
  let freshEnd = fresh.length;
  while (oldEnd > start && freshEnd > start && old[oldEnd - 1] === fresh[freshEnd - 1]) {
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
  add("same", old.slice(0, start));
  compare(old.slice(start, oldEnd), fresh.slice(start, freshEnd), add);
  add("same", old.slice(oldEnd));
  return parts;
}

function compare(old, fresh, add) {
  if (old.length * fresh.length > COMPARISONS) {
    add("gone", old);
    add("new", fresh);
    return;
  }
  const width = fresh.length + 1;
  const common = new Uint16Array((old.length + 1) * width); // of the rest from here
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        old[i] === fresh[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  let i = 0;
  let j = 0;
  while (i < old.length && j < fresh.length) {
    if (old[i] === fresh[j]) {
      add("same", [old[i]]);
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
