"""Fuzzing the decoder, guided by coverage: `make fuzz ARGS=-max_total_time=600`, in seconds.

Not part of the tests, as atheris is built for few versions of Python. Whatever the bytes, both
decoders give an event or a `BadEvent`, and no input of 64 KiB takes them more than 5 ms; an input
that breaks this is kept in a file by libFuzzer, and becomes a case of test_events_fuzz.py. As what
is slow is mostly something short many times over, a piece of each input is also tried as that.
"""

import json
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["models"]):
    from models.events import BadEvent, Decoder

AT_MS = 1_772_357_400_000
SECONDS_MAX = 0.005
REPEATS = 30
DETAIL_MAX = 500
PIECE_BYTES_MAX = 64
VALUE_BYTES_MAX = 64 * 1024
DECODER = Decoder("EUR", {"USD": 0.92}, 3_600_000)
PURCHASE = {
    "id": "o-1001", "type": "purchase", "customer_id": "42", "occurred_at": "2026-03-01T09:30:00Z",
    "amount_minor": 4999, "currency": "EUR", "order_id": "1001",
}  # fmt: skip
ENGAGEMENT = {
    "id": "e-1", "type": "page_view", "customer_id": "42", "occurred_at": AT_MS,
    "properties": {"nps": [9, None, 1e-7, "\u00e9\U0001f600"]},
}  # fmt: skip
_GOOD = json.dumps(PURCHASE).encode()[:-1]
STARTS = (
    b"",
    b"{",
    _GOOD + b",",
    _GOOD + b',"x":',
    _GOOD + b',"x":"',
    b'{"amount_minor":',
    b'{"id":"',
)
WORDS = [
    *(f'"{name}"' for name in {**PURCHASE, **ENGAGEMENT}),
    *('"refund"', '"USD"', "null", "true", "1e999", "-0", "99999999999999999999", "\\\\u0000"),
    *("\\\\ud800", "[[[[[[[[", "}}}}}}}}", '{\\"a\\":', "\\xc3\\xa9", "\\xff", "1772357400000"),
    *("2026-02-30T24:00:60+99:99", "0.000000000000000000000001"),
]


def one(data: bytes) -> None:
    """Both decoders, on one input and on a piece of it, as often as there is room for."""
    _bounded(data)
    if len(data) > 1:
        piece = data[1 : 2 + data[0] % PIECE_BYTES_MAX]
        start = STARTS[len(data) % len(STARTS)]
        _bounded(start + piece * ((VALUE_BYTES_MAX - len(start) - 1) // len(piece)) + b"}")


def _bounded(data: bytes) -> None:
    best_s = _seconds(data)
    if best_s > SECONDS_MAX:  # or it was the machine
        best_s = min(_seconds(data) for _ in range(REPEATS))
    if best_s > SECONDS_MAX:
        Path("build/fuzz/slow").write_bytes(data)
        raise SlowError(f"{best_s * 1e3:.1f} ms for {len(data)} bytes, in build/fuzz/slow")


class SlowError(Exception):
    """An input that takes too long."""


def outcome(data: bytes) -> None:
    """What either decoder makes of the bytes, anything but `BadEvent` being a finding."""
    for decode in (DECODER.purchase, DECODER.engagement):
        try:
            decode(data, None, AT_MS)
        except BadEvent as bad:
            if not 0 < len(bad.detail) < DETAIL_MAX:
                raise


def _seconds(data: bytes) -> float:
    begun_s = time.thread_time()  # what others take of the machine is none of ours
    outcome(data)
    return (time.thread_time() - begun_s) / 2


def main() -> None:
    """Runs libFuzzer with a corpus and a dictionary of its own."""
    folder = Path("build/fuzz")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for name, message in {"purchase": PURCHASE, "engagement": ENGAGEMENT}.items():
        (corpus / name).write_text(json.dumps(message))
        large = message | {"x": [{"y": [[]] * 50}] * 200, "z": "\u00e9" * 4000}
        (corpus / f"{name}-large").write_text(json.dumps(large, ensure_ascii=name == "purchase"))
    quoted = (word.replace('"', '\\"') if '\\"' not in word else word for word in WORDS)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in quoted))
    options = [f"-dict={folder / 'words'}", f"-max_len={VALUE_BYTES_MAX}", "-len_control=20"]
    options += [f"-artifact_prefix={folder}/", "-timeout=5", *sys.argv[1:]]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
