// A display of one's own: node display.mjs [HOST:PORT] [LANGUAGE] [TOKEN] prints each final.
// Wants `npm install` once, in this folder.
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";

const [address = "127.0.0.1:7308", language = "es", token = ""] = process.argv.slice(2);
const definition = loadSync("glossa/captions/v1/captions.proto", {
  includeDirs: [fileURLToPath(new URL("../../protos", import.meta.url))],
  keepCase: true,
  longs: Number,
  defaults: true,
  oneofs: true,
});
const { CaptionService } = grpc.loadPackageDefinition(definition).glossa.captions.v1;
const options = { "grpc.keepalive_time_ms": 10_000, "grpc.max_reconnect_backoff_ms": 1000 };
const client = new CaptionService(address, grpc.credentials.createInsecure(), options);
const metadata = new grpc.Metadata();
if (token) metadata.set("authorization", `Bearer ${token}`);
let sequence = 0; // where to go on after a break
let journalId = ""; // which journal it counts in

function subscribe() {
  const request = { languages: [language], after_sequence: sequence, finals_only: true };
  const call = client.Subscribe(request, metadata);
  call.on("data", (event) => {
    if (journalId && event.journal_id !== journalId) {
      [sequence, journalId] = [0, ""]; // its numbers mean other events
      call.removeAllListeners("data").cancel();
      return;
    }
    [journalId, sequence] = [event.journal_id, Math.max(sequence, event.sequence)];
    const { caption, segment_hidden: hidden } = event;
    if (hidden?.is_hidden) console.log(hidden.segment_id, "(hidden)");
    // Once more when somebody corrects it; when it is shown again, in every language.
    const captions = caption ? [caption] : (hidden?.captions ?? []).filter((each) => each.language.startsWith(language));
    for (const { segment_id: segment, stable_text: text } of captions) console.log(segment, text);
  });
  call.on("error", (error) => {
    const info = errorInfo(error.metadata);
    if (error.code === grpc.status.OUT_OF_RANGE) {
      sequence = Number(info.metadata.oldest_sequence ?? 1) - 1; // trimmed, or an emptied journal
    } else if (!["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"].includes(grpc.status[error.code])) {
      console.error(`${info.reason}: ${error.details}`);
      process.exit(1);
    }
  });
  call.on("status", () => setTimeout(subscribe, 500));
}

// Errors are google.rpc.Status messages with an ErrorInfo, in the trailers.
const { root } = protobuf.parse(`syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }`);

function errorInfo(trailers) {
  const [status] = trailers?.get("grpc-status-details-bin") ?? [];
  const [first] = status ? root.lookupType("Status").decode(status).details : [];
  return first ? root.lookupType("ErrorInfo").decode(first.value) : { reason: "", metadata: {} };
}

subscribe();
