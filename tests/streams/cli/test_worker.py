"""What `clv worker` says before it meets Kafka."""

import os
import subprocess
import sys


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
