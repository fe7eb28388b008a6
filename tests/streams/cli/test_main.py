"""All commands are there, are imported when called, and fail in one sentence."""

import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from streams.cli.main import COMMANDS, build

# Source: CONTRACT.md, Command line.
NAMES = {
    "demo",
    "worker",
    "topics",
    "publish",
    "simulate",
    "show",
    "top",
    "fit",
    "evaluate",
    "dead-letters",
    "state-hash",
    "schema",
}

FULL = Path("/dev/full")


def test_every_command_of_the_contract_is_there():
    assert {command.name for command in COMMANDS} >= NAMES
    for command in COMMANDS:
        assert find_spec(f"streams.cli.{command.module}"), command.name


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_explains_each_within_80_columns(clv, name):
    ran = clv(name, "--help")
    assert ran.status == 0
    assert f"Usage: clv {name}" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_help_names_all(clv):
    ran = clv("--help")
    assert ran.status == 0
    assert all(f" {name} " in ran.out for name in NAMES)


def test_version(clv):
    assert clv("--version").out == f"clv {version('clv-stream')}\n"


def test_nothing_heavy_is_imported_for_help():
    heavy = "{'numpy', 'scipy', 'aiokafka', 'faust', 'redis', 'pydantic', 'confluent_kafka'}"
    program = (
        "import sys; from streams.cli.main import run; run(['--help']); "
        f"sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "clv: No such command 'nope': see `clv --help`.\n"),
        (["wroker"], "clv: No such command 'wroker' (did you mean 'worker'?): see `clv --help`.\n"),
        (
            ["top", "--by", "luck"],
            "'--by': 'luck' is not one of 'total', 'risk': see `clv top --help`.\n",
        ),
        (["top", "-n", "0"], "'-n' / '--count', which must be at least 1: see `clv top --help`.\n"),
        (["top", "-n", "x"], "'--count', which must be a whole number: see `clv top --help`.\n"),
        (["fit"], "clv: Give one of FILE, --from-kafka and --parameters: see `clv fit --help`.\n"),
        (["show"], "clv: Missing argument 'CUSTOMER': see `clv show --help`.\n"),
        (
            ["simulate", "--late", "2"],
            "'--late', which must be at most 0.99: see `clv simulate --help`.\n",
        ),
        (["schema", "nope"], "churn-risk-change, dead-letter: see `clv schema --help`.\n"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_two(clv, arguments, said):
    ran = clv(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith(said)
    assert ran.err.count("\n") == 1


def test_a_command_without_its_subcommand_shows_its_help(clv):
    ran = clv("topics")
    assert ran.status == 2
    assert "apply" in ran.out + ran.err
    assert "clv: " not in ran.err


def test_a_wrong_setting_is_one_sentence_and_status_two(clv):
    ran = clv("top", tiers="bronze:5")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("clv: CLV_TIERS is 'bronze:5'; it must be tiers such as ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics", "check"],
        ["topics", "apply"],
        ["state-hash"],
        ["dead-letters", "list"],
        ["dead-letters", "replay"],
        ["simulate", "--customers", "2", "--publish"],
        ["repair", "0", "0"],
    ],
)
def test_no_kafka_is_one_sentence_and_status_one(clv, unused_tcp_port, arguments):
    ran = clv(*arguments, kafka_bootstrap=f"127.0.0.1:{unused_tcp_port}")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"clv: Kafka does not answer at 127.0.0.1:{unused_tcp_port}")
    assert ran.err.count("\n") == 1


def test_without_kafka_a_repair_leaves_no_producer_open(unused_tcp_port):
    done = subprocess.run(  # what is left open is only told at the end of a process
        [sys.executable, "-m", "streams.cli.main", "repair", "0", "0"],
        env={**os.environ, "CLV_KAFKA_BOOTSTRAP": f"127.0.0.1:{unused_tcp_port}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("clv: Kafka does not answer")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["show", "42"], ["top"]])
def test_no_redis_is_one_sentence_and_status_one(clv, unused_tcp_port, arguments):
    ran = clv(*arguments, redis_url=f"redis://127.0.0.1:{unused_tcp_port}/0")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"clv: Redis does not answer at 127.0.0.1:{unused_tcp_port}")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        ("simulate --customers 20000", b'{"id"'),
        ("schema", b"{"),
        ("--help", b""),
        ("evaluate cdnow --calibration-end 1997-09-30", b"2,357 customers"),
    ],
)
def test_who_reads_may_stop_reading(arguments, begins):
    program = f"{sys.executable} -m streams.cli.main"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{program} {arguments} | head -n 1"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith(begins)
    assert b"Traceback" not in done.stderr
    assert b"rror" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="no disk is always full here")
@pytest.mark.parametrize("arguments", [["schema"], ["simulate", "--customers", "50"], ["--help"]])
def test_a_full_disk_is_one_sentence(arguments):
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "streams.cli.main", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "clv: The disk that this writes to is full: make room, and try again.\n"


def test_a_bug_is_not_hidden(monkeypatch):
    app = build("top")
    monkeypatch.setattr("streams.cli.top.Lookups", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app(["top"], standalone_mode=False)
