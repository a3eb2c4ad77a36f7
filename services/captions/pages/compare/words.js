// Which words two texts do not share. Pure.

// Above this many comparisons all words between the common ends count as different.
const COMPARISONS = 250_000;

// The words of a text in order, each with what follows it up to the next; joined they are the text.
function wordsOf(text, language) {
  let segmenter;
  try {
    segmenter = new Intl.Segmenter(language, { granularity: "word" });
  } catch {
    segmenter = new Intl.Segmenter(undefined, { granularity: "word" }); // not a language tag
  }
  const words = [];
  for (const { segment } of segmenter.segment(text)) {
    if (words.length > 0 && segment.trim() === "") words[words.length - 1] += segment;
    else words.push(segment);
  }
  return words;
}

/**
 * The longest common subsequence of their words tells what both have.
 * @returns {{left: Part[], right: Part[]}} Part is {text, isOnly}: whether only this side has it; each side's
 *   parts joined are its text.
 */
export function differing(left, right, language) {
  const [a, b] = [wordsOf(left, language), wordsOf(right, language)];
  const shared = commonIndices(a, b);
  return { left: parts(a, new Set(shared.map(([i]) => i))), right: parts(b, new Set(shared.map(([, j]) => j))) };
}

function parts(words, shared) {
  const found = [];
  words.forEach((text, index) => {
    const isOnly = !shared.has(index);
    if (found.at(-1)?.isOnly === isOnly) found.at(-1).text += text;
    else found.push({ text, isOnly });
  });
  return found;
}

// [[index in a, index in b]] of the words in common.
function commonIndices(a, b) {
  const isSame = (i, j) => a[i].trimEnd() === b[j].trimEnd();
  if (a.length * b.length > COMPARISONS) return commonEnds(a, b, isSame);
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width); // of the rest from (i, j)
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] = isSame(i, j)
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  const found = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (isSame(i, j)) found.push([i++, j++]);
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return found;
}

function commonEnds(a, b, isSame) {
  const found = [];
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && isSame(start, start)) found.push([start, start++]);
  for (let back = 1; start + back <= shorter && isSame(a.length - back, b.length - back); back += 1) {
    found.push([a.length - back, b.length - back]);
  }
  return found;
}
