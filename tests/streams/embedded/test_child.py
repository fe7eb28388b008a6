"""A server's process: what a pause stops."""

import sys
from pathlib import Path

import pytest

from streams.embedded.child import Child

BUSY = """
import hashlib, threading
def work():
    while True:
        hashlib.blake2b(bytes(1 << 20)).digest()  # without the interpreter's lock
for _ in range(8):
    threading.Thread(target=work).start()
print("busy", flush=True)
"""


def states(child: Child) -> set[str]:
    """What its threads are doing, as Linux has it: R runs, S sleeps, T is stopped."""
    tasks = Path(f"/proc/{child.pid}/task").iterdir()
    return {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_of_a_paused_process_goes_on(tmp_path: Path) -> None:
    child = Child("busy", [sys.executable, "-c", BUSY], tmp_path / "log")
    try:
        child.wait_ready(lambda: "busy" in child.tail(), 20)
        for _ in range(50):
            child.pause()
            assert states(child) == {"T"}
            child.resume()
    finally:
        child.kill()
