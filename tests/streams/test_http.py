"""The HTTP port: three paths, responsive beside a busy loop, one clear sentence when taken."""

import asyncio
import json
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from streams.http import CONNECTIONS_MAX, PortTaken, StatusServer

METRICS = b"# HELP clv_up x\nclv_up 1\n"


@pytest.fixture
def verdict():
    return {"ready": (True, ())}


@pytest.fixture
def server(verdict):
    server = StatusServer(0, lambda: METRICS, lambda: verdict["ready"], host="127.0.0.1")
    server.start()
    yield server
    server.close()


def get(server, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_metrics_are_served_as_prometheus_text(server):
    status, headers, body = get(server, "/metrics")
    assert (status, body) == (200, METRICS)
    assert headers["Content-Type"].startswith("text/plain; version=")


def test_readiness_follows_the_callable_and_gives_the_reasons(server, verdict):
    assert get(server, "/readyz")[0] == 200
    verdict["ready"] = (False, ["recovering 600 records", "redis does not answer"])
    status, _, body = get(server, "/readyz")
    assert status == 503
    assert json.loads(body) == {
        "ok": False,
        "reasons": ["recovering 600 records", "redis does not answer"],
    }


def test_a_worker_that_is_not_ready_is_alive_all_the_same(server, verdict):
    verdict["ready"] = (False, ["recovering"])
    status, _, body = get(server, "/healthz")
    assert (status, json.loads(body)) == (200, {"ok": True, "reasons": []})


@pytest.mark.parametrize("path", ["/", "/table", "/metrics/", "/metrics/../healthz", "/readyz/x"])
def test_there_are_no_other_paths(server, path):
    assert get(server, path)[0] == 404


def test_a_query_is_ignored_and_head_has_no_body(server):
    assert get(server, "/healthz?customer=42")[0] == 200
    status, headers, body = get(server, "/metrics", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(METRICS)))


def test_nothing_can_be_sent(server):
    assert get(server, "/metrics", method="POST")[0] == 501


async def test_it_answers_while_the_event_loop_is_busy(server):
    """A batch holds the loop; the probe, from another thread, is answered meanwhile."""
    answered_s: list[float] = []
    started = time.monotonic()

    def probe() -> None:
        assert get(server, "/healthz")[0] == 200
        answered_s.append(time.monotonic() - started)

    thread = threading.Thread(target=probe)
    thread.start()
    while time.monotonic() - started < 1.0:  # the loop runs nothing else in this second
        sum(range(1000))
    thread.join()
    await asyncio.sleep(0)
    assert answered_s[0] < 0.9


def test_a_taken_port_gives_one_sentence_that_says_what_to_do(server):
    second = StatusServer(server.port, lambda: b"", lambda: (True, ()), host="127.0.0.1")
    with pytest.raises(PortTaken) as raised:
        second.start()
    message = str(raised.value)
    assert str(server.port) in message
    assert "CLV_METRICS_PORT" in message
    assert "\n" not in message


def test_the_port_is_free_again_after_closing(verdict):
    first = StatusServer(0, lambda: METRICS, lambda: verdict["ready"], host="127.0.0.1")
    first.start()
    port = first.port
    get(first, "/metrics")
    first.close()
    first.close()
    again = StatusServer(port, lambda: METRICS, lambda: verdict["ready"], host="127.0.0.1")
    again.start()
    assert get(again, "/metrics")[0] == 200
    again.close()


def test_idle_connections_cannot_pile_up(server):
    """More than the bound are closed at once, and the port works when the idle ones leave."""
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS_MAX)]
    time.sleep(0.2)
    with socket.create_connection(("127.0.0.1", server.port)) as extra:
        extra.settimeout(2)
        assert extra.recv(1) == b""
    for connection in idle:
        connection.close()
    time.sleep(0.2)
    assert get(server, "/healthz")[0] == 200


def test_a_failing_page_is_an_error_not_an_empty_answer(caplog):
    def broken() -> bytes:
        raise RuntimeError("a bug")

    server = StatusServer(0, broken, lambda: (True, ()), host="127.0.0.1")
    server.start()
    try:
        with pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
            get(server, "/metrics")
        assert "answering a request failed" in caplog.text
    finally:
        server.close()
