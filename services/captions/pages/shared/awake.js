// Tells when a page comes back: from another tab, a locked phone, a lid that was shut, a network that was away.

const TICK_MS = 5000;

/**
 * Calls `onWake(awayMs)` whenever the page comes back; Infinity when any connection it held is doubtful.
 * @param {(awayMs: number) => void} onWake
 * @returns {() => void} ends it
 */
export function watchAwake(onWake) {
  let hiddenAt = Date.now();
  let lastTick = Date.now();
  const isShown = () => document.visibilityState === "visible";

  const takeVisibility = () => {
    if (isShown()) onWake(Date.now() - hiddenAt);
    else hiddenAt = Date.now();
  };
  const takeShow = (event) => event.persisted && onWake(Infinity);
  const takeReturn = () => onWake(Infinity);
  // A lid that shuts on a visible page changes nothing but the time.
  const tick = () => {
    const late = Date.now() - lastTick - TICK_MS;
    lastTick = Date.now();
    if (late > TICK_MS && isShown()) onWake(late);
  };

  document.addEventListener("visibilitychange", takeVisibility);
  document.addEventListener("resume", takeReturn); // after "freeze" (Page Lifecycle)
  addEventListener("pageshow", takeShow);
  addEventListener("online", takeReturn);
  const ticker = setInterval(tick, TICK_MS);
  return () => {
    document.removeEventListener("visibilitychange", takeVisibility);
    document.removeEventListener("resume", takeReturn);
    removeEventListener("pageshow", takeShow);
    removeEventListener("online", takeReturn);
    clearInterval(ticker);
  };
}
