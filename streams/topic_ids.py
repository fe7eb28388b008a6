"""What Kafka tells of topics by name, with the ids by which it knows them.

aiokafka's own request ends at a version from before there were ids. A topic that is deleted and
made anew keeps its name, and gets another id.
"""

from io import BytesIO
from typing import ClassVar, Final, TypeAlias

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

_METADATA: Final = 3
_WITH_IDS: Final = 12
NO_ID: Final = bytes(16)
"""Of a topic that is asked for by its name, that is missing, or is from before there were ids."""

_NO_TAGS: Final[dict[int, bytes]] = {}


class Uuid(AbstractType[bytes]):  # type: ignore[misc]
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """As it is."""
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        """As it comes."""
        return data.read(len(NO_ID))


class _Told(Response):  # type: ignore[misc]
    API_KEY = _METADATA
    API_VERSION = _WITH_IDS
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY = _METADATA
    API_VERSION = _WITH_IDS
    RESPONSE_TYPE = _Told
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("id", Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


_Struct: TypeAlias = MetadataRequest_v5 | _Question


class TopicsRequest(Request[_Struct]):  # type: ignore[misc]
    """Asks of some topics, without making them.

    A Kafka from before there were ids answers without.

    Args:
        names: of the topics.

    Source: Kafka's protocol, Metadata, versions 5 and 12.
    """

    API_KEY = _METADATA

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_Struct]) -> _Struct:
        """The request in one version."""
        if request_struct_class is _Question:
            topics = [(NO_ID, name, _NO_TAGS) for name in self._names]
            return _Question(topics, False, False, _NO_TAGS)
        return MetadataRequest_v5(self._names, False)
