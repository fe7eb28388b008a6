"""The partition of a customer is the Java client's."""

import pytest

from streams.placement import partition_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2: the hashes of these keys.
JAVA_MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA_MURMUR2.items())
@pytest.mark.parametrize("partitions", [1, 4, 7, 48])
def test_partition_is_the_java_clients(key: bytes, hashed: int, partitions: int) -> None:
    assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions
