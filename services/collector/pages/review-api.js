// The collector's operations over HTTP. Every call either answers, or throws Refused (the service
// said no, and why) or Unreachable (nobody answered, or what the service needs is away: worth
// another try).

// More than the service gives the gateway for a decision and for its way back.
const TIMEOUT_MS = 20000;
const TOKEN_KEY = "glossa-review-token";

export class Refused extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

export class Unreachable extends Error {}

// "#token=..." once, and out of the address bar and the history at once.
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  sessionStorage.setItem(TOKEN_KEY, fragment.get("token"));
  history.replaceState(null, "", location.pathname + location.search);
}

export const setToken = (token) => sessionStorage.setItem(TOKEN_KEY, token);

function headers() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  // A header takes these alone; whatever else was typed is as wrong as no token.
  return /^[\x21-\x7e]+$/.test(token ?? "") ? { Authorization: `Bearer ${token}` } : {};
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store", ...options });
    if (response.ok) return response;
  } catch {
    throw new Unreachable("The service does not answer.");
  }
  const { error } = await response.json().catch(() => ({}));
  if (!error || response.status >= 500 || response.status === 429) {
    throw new Unreachable(error?.message ?? "The service does not answer.");
  }
  throw new Refused(error.reason, error.message);
}

async function read(response) {
  try {
    return await response.json();
  } catch {
    throw new Unreachable("The answer broke off.");
  }
}

export async function call(operation, request) {
  const response = await answered(`api/review/${operation}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers() },
    body: JSON.stringify(request),
  });
  return read(response);
}

export async function progress(sessionId) {
  const query = new URLSearchParams({ session_id: sessionId });
  return read(await answered(`api/review/progress?${query}`, { headers: headers() }));
}

export async function audio(pairId) {
  const query = new URLSearchParams({ pair_id: pairId });
  const response = await answered(`api/review/audio?${query}`, { headers: headers() });
  try {
    return await response.blob();
  } catch {
    throw new Unreachable("The audio broke off.");
  }
}

// Gives a pair back while the page goes away; a beacon could not carry the token.
export function releaseOnLeaving(leaseId) {
  fetch("api/review/release", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", ...headers() },
    body: JSON.stringify({ lease_id: leaseId, skip: false }),
  }).catch(() => {}); // the lease runs out by itself
}
