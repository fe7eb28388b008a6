"""What was compared and what differed, for people and for programs."""

from collections import Counter
from typing import Any

SHOWN_MAX = 10


class Findings:
    """Counts of what was compared, and of the differences the first few in words."""

    def __init__(self) -> None:
        self.compared: Counter[str] = Counter()
        self.differences: Counter[str] = Counter()
        self.notes: dict[str, int] = {}
        self._shown: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.differences)

    def count(self, what: str, number: int = 1) -> None:
        """Notes that so many things were compared."""
        self.compared[what] += number

    def differ(self, what: str, sentence: str) -> None:
        """Notes one difference."""
        self.differences[what] += 1
        shown = self._shown.setdefault(what, [])
        if len(shown) < SHOWN_MAX:
            shown.append(sentence)

    def expect(self, what: str, where: str, expected: object, found: object) -> None:
        """Compares two values."""
        if expected != found:
            self.differ(what, f"{where}: expected {expected!r}, found {found!r}")

    def sentences(self, what: str) -> list[str]:
        """The first differences of one kind."""
        return self._shown.get(what, [])

    def __str__(self) -> str:
        names = dict.fromkeys((*self.compared, *self.differences))
        width = max(map(len, (*names, *self.notes)), default=0)
        lines = [
            f"{name:{width}}  {self.compared[name]:>10,} compared  "
            f"{self.differences[name]:>8,} different"
            for name in names
        ]
        lines += [f"{name:{width}}  {number:>10,}" for name, number in self.notes.items()]
        for name, shown in self._shown.items():
            lines.append(f"\n{name}: the first {len(shown)} of {self.differences[name]:,}")
            lines += [f"  {sentence}" for sentence in shown]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "compared": dict(self.compared),
            "notes": self.notes,
            "differences": dict(self.differences),
            "first": self._shown,
        }
