// What operators ask of the captions service. Throws as requestJson does: Refused when the service says no,
// any other error when it is not there.

import { postJson, requestJson } from "../shared/access.js";

// The end of a session waits up to half a minute for its last translations.
const END_TIMEOUT_MS = 60_000;

/** GetStatusResponse by its proto names, and `viewers`: how many displays there are, by transport. */
export const getStatus = () => requestJson("/operator/status");

/** The gateway's sessions, newest first. */
export const listSessions = async () => (await requestJson("/operator/sessions")).sessions ?? [];

// Each takes the fields of the proto request of its name.
export const correct = (request) => postJson("/operator/correct", request);
export const hide = (request) => postJson("/operator/hide", request);
export const hold = (request) => postJson("/operator/hold", request);
export const reset = (request) => postJson("/operator/reset", request);
/** Changes these fields of what all screens show; others stay as they are. */
export const setScreens = (change, author) =>
  postJson("/operator/screens", { screens: { ...change, author }, update_mask: fieldMask(change) });
export const end = (request) =>
  postJson("/operator/end", request, { signal: AbortSignal.timeout(END_TIMEOUT_MS) });

/** The names of the fields as ProtoJSON writes a FieldMask: in camel case, with commas. */
function fieldMask(fields) {
  const camelCase = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  return Object.keys(fields).map(camelCase).join(",");
}
