// Breaking a text into lines, once, as wide as they will really be painted.

// A balanced paragraph longer than this looks like any other, and measuring it takes long.
const BALANCED_LINES = 12;
// A word that is as long as several is read as several.
const LONGEST_WORD_CHARACTERS = 12;

const segmenters = new Map();

/** The words of a text as readers count them; in scripts without spaces, too. */
export function countWords(text, language) {
  const counted = segmenter(language)
    ? [...segmenter(language).segment(text)].filter((each) => each.isWordLike).length
    : text.split(" ").filter(Boolean).length;
  return Math.max(1, counted, Math.ceil(text.length / LONGEST_WORD_CHARACTERS));
}

function segmenter(language) {
  if (!segmenters.has(language)) {
    let made = null;
    try {
      made = new Intl.Segmenter(language, { granularity: "word" });
    } catch {
      // No Intl.Segmenter here, or not a language tag.
    }
    segmenters.set(language, made);
  }
  return segmenters.get(language);
}

/** Breaks texts with the browser's own rules of every script, by a hidden paragraph. */
export class LineBreaker {
  #ruler;

  /** `ruler` is as wide as a line, has its type, and is hidden; its line height is in pixels or em. */
  constructor(ruler) {
    this.#ruler = ruler;
  }

  /**
   * The lines of a text, {text, words} each, of about the same length; none for an empty text.
   * `places` is how many lines it is to have where that is possible; 0: as few as there can be.
   */
  break(text, language, places = 0) {
    // Line feeds break no line here; no-break spaces stay.
    const whole = text.replace(/[\t\n\v\f\r \u2028\u2029]+/gu, " ").trim();
    if (!whole) return [];
    this.#ruler.lang = language;
    this.#ruler.textContent = whole;
    this.#ruler.style.width = "";
    this.#balance(places);
    const lines = this.#split(whole);
    this.#ruler.textContent = "";
    return lines.map((line) => ({ text: line, words: countWords(line, language) }));
  }

  // Narrows the ruler as far as the number of lines allows, without breaking a word.
  #balance(places) {
    const ruler = this.#ruler;
    const count = this.#lineCount();
    const target = Math.max(count, places);
    if (target < 2 || target > BALANCED_LINES) return;
    ruler.style.overflowWrap = "normal";
    const fits = () => ruler.scrollWidth <= Math.ceil(ruler.clientWidth) && this.#lineCount() <= target;
    let [low, high] = [1, ruler.clientWidth];
    if (fits()) {
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        ruler.style.width = `${middle}px`;
        if (fits()) high = middle;
        else low = middle + 1;
      }
      ruler.style.width = `${high}px`;
    }
    ruler.style.overflowWrap = "";
  }

  #lineCount() {
    return Math.round(this.#ruler.clientHeight / parseFloat(getComputedStyle(this.#ruler).lineHeight));
  }

  #split(text) {
    const node = this.#ruler.firstChild;
    const range = document.createRange();
    const halfLine = parseFloat(getComputedStyle(this.#ruler).lineHeight) / 2;
    const topOf = (index) => {
      for (let at = index; at < text.length; at += 1) {
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        const [box] = range.getClientRects();
        if (box) return box.top + box.height / 2;
      }
      return Infinity;
    };
    const lines = [];
    let start = 0;
    while (start < text.length) {
      const end = firstAfter(start + 1, text.length, (at) => topOf(at) > topOf(start) + halfLine);
      lines.push(text.slice(start, end).trim());
      start = end;
    }
    return lines.filter(Boolean);
  }
}

// The first whole number from `low` on for which `isAfter` holds, else `high`; it holds from there on.
function firstAfter(low, high, isAfter) {
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
