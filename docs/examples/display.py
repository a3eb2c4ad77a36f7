"""A display of one's own: display.py [HOST:PORT] [LANGUAGE] [TOKEN] prints each final."""

import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from glossa.captions.v1 import captions_pb2, captions_pb2_grpc

address, language, token = [*sys.argv[1:], *("127.0.0.1:7308", "es", "")[len(sys.argv) - 1 :]]
metadata = [("authorization", f"Bearer {token}")] if token else None
options = [("grpc.keepalive_time_ms", 10_000), ("grpc.max_reconnect_backoff_ms", 1000)]
stub = captions_pb2_grpc.CaptionServiceStub(grpc.insecure_channel(address, options))
sequence, journal_id = 0, ""  # where to go on after a break; keep them to go on after a restart
while True:
    request = captions_pb2.SubscribeRequest(
        languages=[language], after_sequence=sequence, finals_only=True
    )
    try:
        for event in stub.Subscribe(request, metadata=metadata):
            if journal_id not in ("", event.journal_id):  # its numbers mean other events
                sequence, journal_id = 0, ""
                break
            journal_id, sequence = event.journal_id, max(sequence, event.sequence)
            if event.segment_hidden.is_hidden:
                print(event.segment_hidden.segment_id, "(hidden)", flush=True)
            shown = [event.caption] if event.HasField("caption") else event.segment_hidden.captions
            for caption in shown:  # a corrected line comes again; so does one that was hidden
                if caption.language.startswith(language):
                    print(caption.segment_id, caption.stable_text, flush=True)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        info = error_details_pb2.ErrorInfo.FromString(status.details[0].value) if status else None
        if error.code() is grpc.StatusCode.OUT_OF_RANGE:  # trimmed, or an emptied journal
            sequence = int(info.metadata.get("oldest_sequence", 1)) - 1
        elif error.code().name not in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"):
            sys.exit(f"{info.reason if info else error.code().name}: {error.details()}")
    time.sleep(0.5)
