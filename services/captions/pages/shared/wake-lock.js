// Keeps the screen on while somebody reads or speaks. Browsers allow it on HTTPS and on localhost alone.

/** Whether this browser can do it. */
export const canKeepAwake = () => "wakeLock" in navigator;

let isWanted = false;
let lock = null;

async function hold() {
  if (!isWanted || lock || document.visibilityState !== "visible") return;
  try {
    const held = await navigator.wakeLock.request("screen");
    if (!isWanted || lock) {
      held.release();
      return;
    }
    lock = held;
    // The browser takes it away when the page is hidden.
    held.addEventListener("release", () => (lock = null));
  } catch {
    // The battery is low, or the person does not want it: the screen goes off as ever.
  }
}

/** Keeps the screen on from now on, or no longer. */
export function keepAwake(wanted) {
  if (!canKeepAwake()) return;
  isWanted = wanted;
  if (wanted) hold();
  else lock?.release();
}

if (canKeepAwake()) document.addEventListener("visibilitychange", hold);
