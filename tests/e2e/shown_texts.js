// Notes every text of a segment that a page shows, in the order in which it shows them, and how long the
// phone page says that each painting took.

window.shownTexts = []; // [segment id, language, is partial, text]; a draft of a rolling screen has id 0
window.paintsMs = [];

(() => {
  // Without the texts of a second runtime (B), which no reader is shown.
  const UNITS = 'article.segment > p, li.segment .cell > .text, td:not([data-column$="~B"]) > p.text';
  const noted = new WeakMap();

  function note(unit, segmentId, language, isPartial) {
    const text = unit.textContent.trim();
    const state = JSON.stringify([language, isPartial, text]);
    if (!text || noted.get(unit) === state) return;
    noted.set(unit, state);
    shownTexts.push([segmentId, language, isPartial, text]);
  }

  const idOf = (unit) => Number(unit.closest("[data-segment]").dataset.segment);
  const isPartial = (unit) => unit.classList.contains("partial");

  // What stands on the page now: [[segment id, text]] of the finals in one language, as elements follow
  // each other.
  window.standingFinals = (language) =>
    [...document.querySelectorAll(`${UNITS}, .rows > .line`)]
      .filter((unit) => (unit.lang || unit.parentElement.lang) === language)
      .filter((unit) => unit.textContent.trim() && !isPartial(unit))
      .map((unit) => [idOf(unit), unit.textContent.trim()]);

  function look() {
    for (const unit of document.querySelectorAll(UNITS)) note(unit, idOf(unit), unit.lang, isPartial(unit));
    for (const line of document.querySelectorAll(".rows > .line")) note(line, idOf(line), line.parentElement.lang, false);
    for (const draft of document.querySelectorAll(".draft")) note(draft, 0, draft.lang, true);
  }

  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) paintsMs.push(duration);
  }).observe({ entryTypes: ["measure"] });
})();
