// Keeps the newest line in view, unless the reader went back; then keeps the reader's place.

const AT_END_PX = 4; // scroll offsets are fractions on many screens
const NEAR_END_PX = 120;
// A key or a flick moves the page for a while after it.
const UNDER_WAY_MS = 400;

export class Follower {
  #scroller;
  #lines;
  #button;
  #lastTop = 0;
  #returnedAt = -UNDER_WAY_MS;
  #isHeld;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} lines its children are what a reader's place is measured by
   * @param {HTMLButtonElement} button leads back to the newest line
   * @param {() => boolean} isHeld whether nothing may move for now, as while somebody writes between the lines
   */
  constructor(scroller, lines, button, isHeld = () => false) {
    this.isFollowing = true;
    this.#scroller = scroller;
    this.#lines = lines;
    this.#button = button;
    this.#isHeld = isHeld;
    scroller.addEventListener("scroll", () => this.#note(), { passive: true });
    button.addEventListener("click", () => {
      this.#returnedAt = performance.now();
      this.follow();
      scroller.focus({ preventScroll: true });
    });
    const settle = () => {
      this.#noteUntold();
      if (this.isFollowing && !this.#isHeld()) this.#toEnd();
    };
    if (typeof ResizeObserver === "function") new ResizeObserver(settle).observe(scroller);
    else addEventListener("resize", settle);
  }

  /** Goes to the newest line and stays there. */
  follow() {
    this.isFollowing = true;
    this.#button.hidden = true;
    this.#toEnd();
  }

  /** Makes a change to the lines under the reader's eyes without moving what is read. */
  keepPlace(change) {
    this.#noteUntold();
    if (this.isFollowing && !this.#isHeld()) {
      change();
      this.#toEnd();
      return;
    }
    const anchor = this.#firstVisible();
    const before = anchor?.getBoundingClientRect().top;
    change();
    if (!anchor?.isConnected) return;
    const moved = anchor.getBoundingClientRect().top - before;
    if (!moved) return;
    this.#scroller.scrollTop += moved;
    this.#lastTop = this.#scroller.scrollTop;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#lastTop = this.#scroller.scrollTop;
  }

  // The event of a move comes a frame after it. What happens in between must not drag the reader to the end.
  #noteUntold() {
    if (this.#scroller.scrollTop < this.#lastTop) this.#note();
  }

  // The first move back is enough to stay there: the next caption comes in a moment.
  #note() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const toEnd = scrollHeight - scrollTop - clientHeight;
    if (performance.now() - this.#returnedAt < UNDER_WAY_MS) {
      if (toEnd > AT_END_PX) this.#toEnd();
      return;
    }
    if (toEnd <= AT_END_PX) this.isFollowing = true;
    else if (scrollTop < this.#lastTop) this.isFollowing = false;
    else if (toEnd < NEAR_END_PX) this.isFollowing = true;
    this.#lastTop = scrollTop;
    this.#button.hidden = this.isFollowing;
  }

  #firstVisible() {
    const top = this.#scroller.getBoundingClientRect().top;
    const lines = this.#lines.children;
    let [low, high] = [0, lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lines[middle].getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    return lines[low];
  }
}
