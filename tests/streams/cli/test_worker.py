"""What `clv worker` says before it meets Kafka."""

import json
import os
import socket
import subprocess
import sys

import pytest


def test_names_that_are_no_settings_are_one_warning_without_values(unused_tcp_port: int) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "streams.cli.main", "worker"],
        env={
            **{name: value for name, value in os.environ.items() if name[:4] != "CLV_"},
            "CLV_KAFKA_BOOTSTRAP": f"127.0.0.1:{unused_tcp_port}",
            "CLV_METRICS_PORT": "0",
            "CLV_HORIZON_DAYS": "hunter2",
            "clv_tz": "hunter2",
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    first, second = worker.stderr.readline(), worker.stderr.readline()
    worker.terminate()
    rest = worker.communicate()[1]
    assert first.endswith(
        " WARNING no settings, so without effect: CLV_HORIZON_DAYS (is it CLV_HORIZON?), clv_tz\n"
    )
    assert "WARNING" not in second
    assert "hunter2" not in first + second + rest


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_ends_it_is_said_as_the_rest_of_its_log(form: str) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "streams.cli.main", "worker"],
            env={
                **{name: value for name, value in os.environ.items() if name[:4] != "CLV_"},
                "CLV_METRICS_PORT": str(port),
                "CLV_LOG_FORMAT": form,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    last = done.stderr.splitlines()[-1]
    if form == "json":
        line = json.loads(last)
        assert line["level"] == "critical"
        said = line["message"]
    else:
        said = last.removeprefix("clv: ")
        assert said != last
    assert said.startswith(f"cannot listen on port {port}")
    assert done.returncode == 1
