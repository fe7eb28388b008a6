"""A CSV of transactions as the JSON lines that a publisher would send."""

import io
from collections.abc import Iterator
from hashlib import blake2b
from typing import BinaryIO, Final

import orjson

from streams.csv_rows import BadRow, Row, read_rows
from streams.event_lines import BadLine, RoundedLine, Tally

_DIGEST_BYTES: Final = 10
"""Within one customer no two rows will meet in 80 bits by chance."""


def csv_lines(stream: BinaryIO, currency: str, tally: Tally) -> Iterator[tuple[int, bytes]]:
    """Read a CSV, and make a JSON line of each row.

    A row without an id gets one that its content makes, with a number where the same content
    comes again: so two equal orders are two, and the same file published twice adds nothing.

    Args:
        stream: the file.
        currency: ISO 4217 code where a row names none.
        tally: rows that are no transactions are counted here, and left out; amounts that had to
            be rounded are counted, too.

    Yields:
        The number of each row's line in the file, and the JSON.

    Raises:
        NotTransactions: the header lacks a column.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    seen: dict[bytes, int] = {}
    try:
        for row in read_rows(text, currency):
            if isinstance(row, BadRow):
                tally.lines += 1
                tally.left_out += 1
                detail = row.detail.encode(errors="replace").decode()
                tally.add_bad(BadLine(row.line, row.reason, detail))
                continue
            if row.rounded_from:
                tally.add_rounded(RoundedLine(row.line, row.rounded_from, row.amount_minor))
            yield row.line, _line(row, seen)
    finally:
        text.detach()  # the file is its opener's to close


def _line(row: Row, seen: dict[bytes, int]) -> bytes:
    return orjson.dumps(
        {
            "id": row.id or _id(row, seen),
            "type": row.type,
            "customer_id": row.customer_id,
            "occurred_at": row.occurred_at_ms,
            "amount_minor": row.amount_minor,
            "currency": row.currency,
        }
    )


def _id(row: Row, seen: dict[bytes, int]) -> str:
    # Without the number of the line, and without how the amount was written.
    content = orjson.dumps(row[1:-1])
    digest = blake2b(content, digest_size=_DIGEST_BYTES).digest()
    count = seen[digest] = seen.get(digest, 0) + 1
    return f"csv-{digest.hex()}-{count}"
