"""Every engine on the same Kafka, the same topic and the same machine: `make bench`."""
