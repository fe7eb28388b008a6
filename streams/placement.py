"""Which partition a customer belongs to: the Java client's default partitioner."""

from aiokafka.partitioner import murmur2


def partition_of(customer: bytes, partitions: int) -> int:
    """Partition number of a customer, as every well-behaved publisher computes it.

    Source: org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey.
    """
    hashed: int = murmur2(customer)
    return (hashed & 0x7FFFFFFF) % partitions
