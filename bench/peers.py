"""Sets up what the peers need: a virtual environment of their own, and the Java job's jars."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.servers.kafka import java

HERE: Final = Path(__file__).parent
REQUIREMENTS: Final = HERE / "requirements-peers.txt"
VENV: Final = HERE / ".venv-peers"
PYTHON: Final = VENV / "bin" / "python"
STREAMS: Final = HERE / "kafka-streams"
CLASSES: Final = STREAMS / "target" / "classes"
_STAMP: Final = VENV / ".ready"


class SetUpError(Exception):
    """Something that the peers need could not be had; the message says what."""


def python_peers() -> None:
    """Make the virtual environment, unless it is there and newer than its requirements."""
    if _STAMP.exists() and _STAMP.stat().st_mtime > REQUIREMENTS.stat().st_mtime:
        return
    sys.stderr.write(f"Setting up {VENV.name} with the peers: this takes a minute.\n")
    _run([sys.executable, "-m", "venv", "--clear", str(VENV)], "a virtual environment")
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, "-r", str(REQUIREMENTS)], "the peers' packages")
    _STAMP.touch()


def kafka_streams() -> None:
    """Build the Java job, unless it is built and newer than its sources."""
    sources = [STREAMS / "pom.xml", *STREAMS.glob("src/**/*.java")]
    built = CLASSES / "clv" / "bench" / "SmallJob.class"
    if built.exists() and built.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise SetUpError("no `mvn` on the path to build the Kafka Streams job with")
    sys.stderr.write("Building the Kafka Streams job.\n")
    _run([maven, "-B", "-q", "-f", str(STREAMS / "pom.xml"), "clean", "package"], "the Java job")


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise SetUpError(f"{what} could not be had:\n{tail}")


def versions() -> dict[str, str]:
    """What was measured: names and versions."""
    found = {name: version(name) for name in ("clv-stream", "faust-streaming", "aiokafka")}
    found["python"] = sys.version.split()[0]
    if PYTHON.exists():
        listed = subprocess.run(
            [str(PYTHON), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        peers = dict(line.split("==", 1) for line in listed.splitlines() if "==" in line)
        for name in ("quixstreams", "bytewax", "confluent-kafka", "faust-streaming"):
            found[f"{name} (peers)"] = peers.get(name, "?")
    for jar in (STREAMS / "target" / "lib").glob("kafka-streams-*.jar"):
        found["kafka-streams"] = jar.stem.removeprefix("kafka-streams-")
    seen = subprocess.run([java(), "-version"], capture_output=True, text=True, check=False).stderr
    found["java"] = seen.split('"')[1]
    return found
