"""Writes down what a provider sends, as fixtures: `python examples/capture.py FOLDER [PORT]`. It answers 200, and checks nothing.

Only for the first look at a new provider, on a test account: until you stop it, anybody may send. What it writes holds what
people wrote, and perhaps secrets; replace both before you commit it.
"""

import base64
import json
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

OF_THE_WAY = frozenset({"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"})
"""Headers that say nothing of the provider."""


class Capture(BaseHTTPRequestHandler):
    """One request to one file."""

    folder = Path()

    def do_POST(self) -> None:
        """Write it down."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        number = len(list(self.folder.glob("captured_*.in.json"))) + 1
        file = self.folder / f"captured_{number}.in.json"
        file.write_text(json.dumps({"request": self._request(body)}, indent=2, ensure_ascii=False) + "\n", "utf-8")
        print(file, flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 -- the server asks for these names

    def _request(self, body: bytes) -> dict[str, Any]:
        asked = urlsplit(self.path)
        return {
            "method": self.command,
            "path": asked.path,
            "query": dict(parse_qsl(asked.query, keep_blank_values=True)),
            "headers": {k.lower(): v for k, v in self.headers.items() if k.lower() not in OF_THE_WAY},
            **_written(body),
            "arrived_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the server's word
        """Nothing but the files' names."""


def _written(body: bytes) -> dict[str, str]:
    # As text, not as JSON: a signature covers every byte.
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def main(folder: str, port: str = "8099") -> None:
    """Serve on loopback until Ctrl-C."""
    Capture.folder = Path(folder)
    Capture.folder.mkdir(parents=True, exist_ok=True)
    server = HTTPServer(("127.0.0.1", int(port)), Capture)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main(*sys.argv[1:])
