"""Bounded memory of event ids: which of the last 64 were seen before."""

from hashlib import blake2b

HASH_BYTES = 7
REMEMBERED_MAX = 64
MEMORY_BYTES_MAX = HASH_BYTES * REMEMBERED_MAX


def id_hash(event_id: str) -> bytes:
    """Seven bytes that stand for an event id.

    With 64 ids remembered, a new id is taken for one of them once in 64 / 2^56, about 1e-15.

    Source: BLAKE2b, RFC 7693, with a digest of 7 bytes and without a key.
    """
    return blake2b(event_id.encode(), digest_size=HASH_BYTES).digest()


def remembers(memory: bytes, hashed: bytes) -> bool:
    """Whether the hash is one of those that stand in the memory, end to end."""
    at = memory.find(hashed)
    while at >= 0:
        if at % HASH_BYTES == 0:
            return True
        at = memory.find(hashed, at + 1)  # it was the tail of one hash and the head of the next
    return False


def remember(memory: bytes, hashed: bytes) -> bytes:
    """The memory with one more hash, the oldest one given up where there are 64."""
    return (memory + hashed)[-MEMORY_BYTES_MAX:]
