// Who may see this: a token comes once, in the fragment of a link (#token=...), where no log sees it, and
// becomes a cookie that no script can read.

const TIMEOUT_MS = 8000;

/** The service said no: `reason` is stable, the message is for people. */
export class Refused extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

/** Asks for JSON. Throws Refused when the service says no, and any other error when it is not there. */
export async function requestJson(path, options = {}) {
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(path, { cache: "no-store", signal: aborter.signal, ...options });
    if (response.ok) return await response.json();
    const { error } = await response.json().catch(() => ({}));
    if (response.status >= 500 || response.status === 429 || !error) throw new Error(error?.message ?? `${path}: ${response.status}`);
    throw new Refused(error.reason, error.message);
  } finally {
    clearTimeout(timer);
  }
}

/** Posts JSON and gives the JSON that comes back; `options` are those of fetch. Throws as requestJson does. */
export const postJson = (path, body, options = {}) =>
  requestJson(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    ...options,
  });

/** What this browser may do: {view, ingest, operate}. Throws when the service is not there. */
export async function checkAccess() {
  const { roles } = await requestJson("access");
  const may = (role) => roles.includes(role);
  return { view: may("view"), ingest: may("ingest"), operate: may("operate") };
}

/** Signs in with a token that a person gave; throws Refused when it is wrong. */
export const signIn = (token) => postJson("sign-in", { token });

/**
 * Signs in with the token of the link, if it has one, and takes it out of the address bar.
 * Gives what this browser may do then; a wrong token changes nothing. Throws when the service is not there.
 */
export async function ensureAccess() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token) {
    try {
      await signIn(token);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    fragment.delete("token");
    const rest = fragment.toString();
    history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
  }
  return checkAccess();
}
