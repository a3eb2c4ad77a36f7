// One connection over one transport: a WebSocket, or server-sent events where none comes through.

// A transport that opens and stays silent (some proxies do that) has not come through. Longer than captions
// waits for its own upstream before it answers.
const FIRST_MESSAGE_MS = 8000;

/** Whether this browser has WebSockets at all. */
export const hasWebSocket = () => typeof WebSocket === "function";

/**
 * Opens one connection.
 * @param {"websocket" | "sse"} transport
 * @param {URLSearchParams} query as /ws and /events take it
 * @param {(message: object) => void} onMessage
 * @param {(hasSpoken: boolean) => void} onClose once, unless close() was called first; false: not one
 *   message came
 * @returns {{close(): void}}
 */
export function connect(transport, query, onMessage, onClose) {
  let isOver = false;
  let hasSpoken = false;
  let source = null;
  const timer = setTimeout(() => hasSpoken || end(), FIRST_MESSAGE_MS);

  function close() {
    isOver = true;
    clearTimeout(timer);
    source?.close();
  }

  function end() {
    if (isOver) return;
    close();
    onClose(hasSpoken);
  }

  function take({ data }) {
    if (isOver) return;
    hasSpoken = true;
    onMessage(JSON.parse(data));
  }

  try {
    source = transport === "websocket" ? openSocket(query, take, end) : openEvents(query, take, end);
  } catch {
    setTimeout(end); // a policy forbids it; the caller is not called back before it has the answer
  }
  return { close };
}

function openSocket(query, take, end) {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = query;
  const socket = new WebSocket(url);
  socket.addEventListener("message", take);
  socket.addEventListener("close", end);
  return socket;
}

function openEvents(query, take, end) {
  const url = new URL("events", document.baseURI);
  url.search = query;
  const source = new EventSource(url);
  source.addEventListener("message", take);
  source.addEventListener("error", (event) => {
    // It would come back by itself, but from where it began, not from where it is.
    if (event.data) take(event);
    end();
  });
  return source;
}
