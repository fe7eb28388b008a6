"""The clock of one process, which can be made to jump while the process runs.

libfaketime stands between the process and the system: wall time is shifted by what a file says,
monotonic time is left alone, as when somebody sets a machine's clock.
"""

from pathlib import Path

_LIBRARY = "faketime/libfaketimeMT.so.1"
_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def faketime() -> Path | None:
    """libfaketime, where it is installed."""
    for folder in map(Path, _FOLDERS):
        found = next(iter((*folder.glob(_LIBRARY), *folder.glob(f"*/{_LIBRARY}"))), None)
        if found is not None:
            return found
    return None


class Clock:
    """How far a process's wall clock is ahead of the true time."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library, self._file = library, file
        self.set(0)

    def set(self, offset_s: int) -> None:
        """Jump; the process notices within a second."""
        self.offset_s = offset_s
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset_s:+d}\n")
        fresh.replace(self._file)  # never half written

    def env(self) -> dict[str, str]:
        """What the process is started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
