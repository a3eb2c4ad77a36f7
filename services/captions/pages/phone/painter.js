// Gathers what changed and paints it in the next frame, however much came before it.

/** Name of the measure from the receipt of an event to the frame that shows it (User Timing). */
const PAINTED = "glossa-caption-painted";

export class Painter {
  #paint;
  #receivedAt = 0;

  /** @param {() => void} paint changes the page */
  constructor(paint) {
    this.#paint = paint;
  }

  /** Something was received that changes the page. */
  request() {
    if (this.#receivedAt) return;
    this.#receivedAt = performance.now();
    requestAnimationFrame(() => {
      const start = this.#receivedAt;
      this.#receivedAt = 0;
      this.#paint();
      // The next frame begins when this one is on its way to the screen.
      requestAnimationFrame((end) => this.#measure(start, Math.max(end, start)));
    });
  }

  // Observers get it; a page that is open for hours must not collect it.
  #measure(start, end) {
    performance.measure(PAINTED, { start, end });
    performance.clearMeasures(PAINTED);
  }
}
