"""Faust fed by batches, one Kafka transaction a batch."""
