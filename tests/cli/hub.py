"""A server that speaks as much of the Hugging Face hub's API as pulling a model needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REVISION = "5" * 40


class Hub:
    """Repositories by name, on a port of its own until `close`.

    Args:
        gated: repositories that want the token "accepted".
        broken_after: bytes after which a download is cut, once for each file.
        wrong: files that are sent with other bytes than the hub's hash says.
        hold_at: bytes after which a download waits for `hold`.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.broken_after: int | None = None
        self.wrong: set[str] = set()
        self.is_down = False
        self.hold_at: int | None = None
        self.hold = threading.Event()
        self.ranges: list[str | None] = []  # what each download asked for
        self._broken: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def breaks_now(self, path: str) -> bool:
        """Whether this download of `path` is to be cut; true once for each."""
        if self.broken_after is None or path in self._broken:
            return False
        self._broken.add(path)
        return True


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            if hub.is_down:
                self._send(503, b"down", with_body=with_body)
                return
            path = self.path.partition("?")[0]
            if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path):
                self._send_listing(found[1], with_body=with_body)
            elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
                self._send_file(found[1], found[2], with_body=with_body)
            else:
                self._send(404, b"", with_body=with_body)

        def _send_listing(self, repository: str, *, with_body: bool) -> None:
            files = hub.repositories.get(repository)
            if files is None:
                headers = {"X-Error-Code": "RepoNotFound"}
                self._send(404, b"{}", headers, with_body=with_body)
                return
            siblings = [
                {
                    "rfilename": name,
                    "size": len(data),
                    "blobId": hashlib.sha1(data).hexdigest(),  # noqa: S324 - as git names it
                    "lfs": {
                        "sha256": hashlib.sha256(data).hexdigest(),
                        "size": len(data),
                        "pointerSize": 130,
                    },
                }
                for name, data in files.items()
            ]
            listing = {"id": repository, "sha": REVISION, "siblings": siblings}
            body = json.dumps(listing).encode()
            self._send(200, body, {"Content-Type": "application/json"}, with_body=with_body)

        def _send_file(self, repository: str, name: str, *, with_body: bool) -> None:
            token = self.headers.get("Authorization", "")
            if repository in hub.gated and token != "Bearer accepted":
                status = 403 if token else 401
                self._send(status, b"", {"X-Error-Code": "GatedRepo"}, with_body=with_body)
                return
            data = hub.repositories[repository][name]
            headers = {
                "X-Repo-Commit": REVISION,
                "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                "Accept-Ranges": "bytes",
            }
            if name in hub.wrong:
                data = bytes(len(data))
            status = 200
            if with_body:
                asked = self.headers.get("Range")
                hub.ranges.append(asked)
                if asked is not None:
                    start = int(asked.removeprefix("bytes=").partition("-")[0])
                    headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
                    data, status = data[start:], 206
                if hub.breaks_now(self.path):
                    self._send(status, data, headers, cut_at=hub.broken_after)
                    return
            self._send(status, data, headers, with_body=with_body)

        def _send(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str] | None = None,
            *,
            with_body: bool = True,
            cut_at: int | None = None,
        ) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body and hub.hold_at is not None and len(body) > hub.hold_at:
                self.wfile.write(body[: hub.hold_at])
                hub.hold.wait(60)
                self.close_connection = True
            elif with_body:
                self.wfile.write(body[:cut_at])
            if cut_at is not None:
                self.wfile.flush()
                self.close_connection = True

    return Handler
