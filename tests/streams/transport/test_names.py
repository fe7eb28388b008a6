"""The private names of Faust and aiokafka that the transport stands on are still there.

streams/transport/README.md says what each is for.
"""

import inspect
from importlib.metadata import version

import faust
import faust.streams
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.producer.sender import AddPartitionsToTxnHandler, Sender
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from faust.agents.manager import AgentManager
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.transport import conductor
from faust.transport.consumer import Consumer

from streams.transport.inert import InertConsumer

SIGNATURES = [
    (faust.App, "_update_assignment", ["self", "assigned"]),
    (faust.App, "_create_directories", ["self"]),
    (faust.App, "on_rebalance_start", ["self"]),
    (faust.App, "on_rebalance_return", ["self"]),
    (faust.App, "on_rebalance_end", ["self"]),
    (BootStrategy, "kafka_consumer", ["self"]),
    (AgentManager, "on_rebalance", ["self", "revoked", "newly_assigned"]),
    (conductor.Conductor, "maybe_wait_for_subscriptions", ["self"]),
    (conductor.Conductor, "on_partitions_assigned", ["self", "assigned"]),
    (TableManager, "on_start", ["self"]),
    (TableManager, "on_stop", ["self"]),
    (TableManager, "wait_until_recovery_completed", ["self"]),
    (Consumer, "ack", ["self", "message"]),
    (Consumer, "track_message", ["self", "message"]),
    (Consumer, "on_buffer_full", ["self", "tp"]),
    (Consumer, "on_buffer_drop", ["self", "tp"]),
    (Consumer, "wait_empty", ["self"]),
    (Assignment, "state_value", ["self", "tp"]),
    (PartitionRecords, "_consumer_record", ["self", "tp", "record"]),
    (PartitionRecords, "_unpack_records", ["self"]),
    (MessageAccumulator, "fail_all", ["self", "exception"]),
    (MessageBatch, "failure", ["self", "exception"]),
    (TransactionManager, "fatal_error", ["self", "exc"]),
    (TransactionManager, "error_transaction", ["self", "exc"]),
    (_MemoryRecordsPy, "_cache_next", ["self", "len_offset", "log_overhead"]),
    (_MemoryRecordsPy, "next_batch", ["self", "_min_slice", "_magic_offset"]),
    (_DefaultRecordBatchPy, "_maybe_uncompress", ["self"]),
    (GroupCoordinator, "_stop_heartbeat_task", ["self"]),
    (AIOKafkaAdminClient, "_send_request", ["self", "request", "node_id"]),
    (GroupCoordinator, "fetch_committed_offsets", ["self", "partitions"]),
    (AIOKafkaConnection, "send", ["self", "request", "expect_response"]),
    (AIOKafkaConnection, "_send_sasl_token", ["self", "payload", "expect_response"]),
]


@pytest.mark.parametrize(("owner", "name", "parameters"), SIGNATURES)
def test_method_has_the_signature_that_is_relied_on(owner, name, parameters) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (faust.App, "BootStrategy"),
        (faust.App, "transport"),
        (faust.App, "flow_control"),
        (faust.App, "consumer_generation_id"),
        (BootStrategy, "enable_kafka_producer"),
        (BootStrategy, "enable_web"),
        (TableManager, "changelog_topics"),
        (SubscriptionState, "subscription"),
        (TopicPartitionState, "position"),
        (TopicPartitionState, "has_valid_position"),
    ],
)
def test_attribute_is_there(owner, name) -> None:
    assert hasattr(owner, name)


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        (TableManager.__init__, "_tables_finalized"),
        (TableManager.__init__, "_tables_registered"),
        (Consumer.__init__, "self.callback = callback"),
        (AIOKafkaConsumer.__init__, "self._subscription = "),
        (AIOKafkaConsumer.__init__, "self._client = "),
        (AIOKafkaProducer.__init__, "self.client = "),
        (AIOKafkaProducer.__init__, "self._message_accumulator = "),
        (AIOKafkaProducer.__init__, "self._sender = "),
        (Sender.sender_task.fget, "return self._sender_task"),
        (AIOKafkaConnection.connect, "self._writer, self._protocol = "),
        (AddPartitionsToTxnHandler.handle_response, "return BACKOFF_OVERRIDE"),
        (TransactionManager.begin_transaction, "self._transaction_waiter = "),
        (MessageAccumulator.__init__, "self._pending_batches = "),
        (MessageAccumulator.__init__, "self._batches = "),
        (MessageBatch.__init__, "self.future = "),
        (MessageBatch.__init__, "self._drain_waiter = "),
        (BatchBuilder.__init__, "self._builder = DefaultRecordBatchBuilder("),
        (BatchBuilder.append, "if metadata is None:"),
        (BatchBuilder.record_count, "return self._relative_offset"),
        (AIOKafkaClient.force_metadata_update, "def force_metadata_update(self)"),
        (AIOKafkaClient.coordinator_lookup, "assert node_id is not None"),
        (AIOKafkaConsumer.start, "self._coordinator = "),
        (GroupCoordinator.__init__, "self.generation = "),
        (GroupCoordinator.__init__, "self.member_id = "),
        (GroupCoordinator._do_heartbeat, "self.reset_generation()"),
        (GroupCoordinator.check_errors, "self._coordination_task.done()"),
        (GroupCoordinator.request_rejoin, "def request_rejoin(self)"),
        (GroupCoordinator._start_heartbeat_task, "if self._heartbeat_task is None:"),
    ],
)
def test_instance_attribute_is_set(owner, text) -> None:
    where = inspect.getsource(inspect.getmodule(owner))
    assert text in where


def test_every_abstract_method_is_answered() -> None:
    from streams.transport.consumer import LaneConsumer

    assert not LaneConsumer.__abstractmethods__
    assert InertConsumer.__abstractmethods__ == frozenset({"assignment", "subscribe"})


def test_the_compiled_parts_are_in_use() -> None:
    assert faust.streams._CStreamIterator is not None
    assert conductor.ConductorHandler is not None


@pytest.mark.parametrize(
    ("package", "pinned"),
    [("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1"), ("aiokafka", "0.14.0")],
)
def test_versions_are_those_that_were_audited(package, pinned) -> None:
    assert version(package) == pinned
