// Keeps the screen on, and with it the machine.

/** Asks for it, and again whenever the page comes back; gives a function that ends it. */
export function keepAwake() {
  let isWanted = true;
  let lock = null;
  const ask = async () => {
    if (!isWanted || document.visibilityState !== "visible" || !navigator.wakeLock) return;
    try {
      const given = await navigator.wakeLock.request("screen");
      if (isWanted) lock = given;
      else await given.release();
    } catch {
      // Refused, on a low battery for example: the machine's own settings decide.
    }
  };
  document.addEventListener("visibilitychange", ask);
  ask();
  return () => {
    isWanted = false;
    document.removeEventListener("visibilitychange", ask);
    lock?.release().catch(() => {});
  };
}
