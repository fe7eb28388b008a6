"""`/metrics`, `/healthz` and `/readyz`, served by threads of their own.

Threads, not the event loop: a batch may hold the loop for longer than a probe waits, and a probe
that then fails would have a healthy worker killed. The three paths are all there is; none takes a
parameter or reaches the tables, so no customer's data can leave here.
"""

import json
import logging
import socketserver
import sys
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST

from streams.complaint import Complaint

Verdict = tuple[bool, Sequence[str]]
"""Whether it is so, and where it is not, what is missing."""

LOG = logging.getLogger(__name__)

CONNECTIONS_MAX = 16
SECONDS_A_REQUEST = 5.0


class PortTaken(Complaint):
    """The port cannot be listened on; the message says what to do."""


class StatusServer:
    """The worker's HTTP port.

    `ready` is called on a server thread and must only read what others maintain: it returns at
    once and never raises. `/healthz` says that the process is there, and nothing more.
    """

    def __init__(
        self,
        port: int,
        render: Callable[[], bytes],
        ready: Callable[[], Verdict],
        host: str = "",
    ) -> None:
        """Describe the server; `start` opens the port.

        Args:
            port: to listen on; 0 takes a free one (see `port` after `start`).
            render: the text for `/metrics`, in Prometheus' format.
            ready: for `/readyz`: recovered, assigned, Redis and Kafka answer.
            host: address to listen on; all of them by default.
        """
        self._address = (host, port)
        self._render = render
        self._ready = ready
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        assert self._server is not None, "not started"
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Open the port and serve from a background thread.

        Raises:
            PortTaken: another program has the port, or it may not be opened.
        """
        try:
            self._server = _Server(self._address, self._answer)
        except OSError as error:
            raise PortTaken(
                f"cannot listen on port {self._address[1]} ({error.strerror}): stop the program "
                "that uses it, or set CLV_METRICS_PORT to a free one"
            ) from error
        # A poll of 50 ms so that closing does not delay a shutdown.
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="clv-http", daemon=True
        ).start()

    def close(self) -> None:
        """Stop serving and free the port; does nothing where it was not started."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a path."""
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, self._render()
        if path in ("/healthz", "/readyz"):
            ok, reasons = (True, ()) if path == "/healthz" else self._ready()
            status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
            body = json.dumps({"ok": ok, "reasons": list(reasons)}).encode() + b"\n"
            return status, "application/json", body
        return HTTPStatus.NOT_FOUND, "text/plain", b"/metrics /healthz /readyz\n"


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Threads without number would be a way to stop the worker: connections are bounded."""

    allow_reuse_address = True  # a restarted worker need not wait for old connections to expire
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], answer: Callable[[str], tuple[HTTPStatus, str, bytes]]
    ) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self.answer = answer
        super().__init__(address, _Request)

    def process_request(self, request: object, client_address: object) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A client that hung up is no event of ours; anything else is a bug, and is logged."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            LOG.error("answering a request failed", exc_info=error)


class _Request(BaseHTTPRequestHandler):
    """One GET or HEAD, answered and closed."""

    server: _Server
    timeout: ClassVar[float] = SECONDS_A_REQUEST
    server_version = "clv"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with a body."""
        self._reply(body_wanted=True)

    def do_HEAD(self) -> None:
        """Answer with headers only."""
        self._reply(body_wanted=False)

    def _reply(self, *, body_wanted: bool) -> None:
        status, content_type, body = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if body_wanted:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """A probe every few seconds is not worth a line."""
