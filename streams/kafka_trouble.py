"""Why Kafka cannot be reached, in one sentence that says what to do.

aiokafka's clients say only that no server let them in. So each server is asked once more, by
hand, and what comes back tells: nobody listens, TLS where there is none or none where there is,
a certificate that nobody vouches for, a wrong password.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.complaint import Complaint
from streams.settings import PREFIX, Settings

ANSWER_S_MAX: Final = 5.0
"""How long each server may take, in seconds."""

_PROTOCOL: Final = f"{PREFIX}KAFKA_SECURITY_PROTOCOL"
_CAFILE: Final = f"{PREFIX}KAFKA_SSL_CAFILE"
_USER, _PASSWORD = f"{PREFIX}KAFKA_SASL_USERNAME", f"{PREFIX}KAFKA_SASL_PASSWORD"

# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME: Final = {62, 64}

# What a port may want where one protocol is not enough.
_MORE_THAN: Final = {
    "PLAINTEXT": "SSL, SASL_PLAINTEXT or SASL_SSL",
    "SSL": "SASL_SSL",
    "SASL_PLAINTEXT": "SASL_SSL",
}


class KafkaAway(Complaint):
    """Kafka does not answer; it may later. The message says where and what to do."""

    status: ClassVar[int] = 1


class KafkaRefused(KafkaAway):
    """Kafka answers, and waiting does not help: it refuses us, or we refuse its certificate."""


async def trouble(settings: Settings, connection: Mapping[str, Any]) -> KafkaAway:
    """Ask each server once, and say what keeps us from it.

    Args:
        settings: as the connection was made of them.
        connection: aiokafka's arguments to connect.

    Returns:
        What to raise; a refusal where one of the servers refused.
    """
    arguments = {**connection}
    found = []
    for server in arguments.pop("bootstrap_servers"):
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await _ask(server, arguments)
        except (OSError, KafkaError) as error:  # TimeoutError is an OSError
            found.append(explain(error, server, settings))
    refused = [away for away in found if isinstance(away, KafkaRefused)]
    return next(iter([*refused, *found]), _silent(settings.kafka_bootstrap))


async def _ask(server: str, arguments: Mapping[str, Any]) -> None:
    host, _, port = server.rpartition(":")
    connection = await create_conn(host.strip("[]"), int(port), **arguments)
    try:
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()


def explain(error: Exception, server: str, settings: Settings) -> KafkaAway:
    """What one server's answer means.

    Args:
        error: what came of connecting to it.
        server: host and port.
        settings: as we tried to connect.
    """
    refusal = _refusal(error, settings)
    if refusal is not None:
        return KafkaRefused(f"Kafka at {server} {refusal}")
    doubt = _doubt(error, settings.kafka_security_protocol)
    return KafkaAway(f"Kafka at {server} {doubt}") if doubt else _silent(server)


def _refusal(error: Exception, settings: Settings) -> str | None:
    """What is wrong for good; None where waiting may help."""
    mechanism = settings.kafka_sasl_mechanism
    match error:
        case ssl.SSLCertVerificationError():
            return _untrusted(error, settings)
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return (
                f"refuses the user {settings.kafka_sasl_username!r} or the password: set "
                f"{_USER} and {_PASSWORD} to a user of {mechanism} there."
            )
        case UnsupportedSaslMechanismError():
            return (
                f"does not know users by {mechanism}: set {PREFIX}KAFKA_SASL_MECHANISM to one "
                "that it takes."
            )
        case IllegalSaslStateError():
            without = settings.kafka_security_protocol.removeprefix("SASL_")
            return (
                f"takes no user and password on this port: set {_PROTOCOL}={without} and neither "
                f"{_USER} nor {_PASSWORD}, or name the port that does in {PREFIX}KAFKA_BOOTSTRAP."
            )
        case _:
            return None


def _doubt(error: Exception, protocol: str) -> str | None:
    """What may be wrong where a server hangs up, as one that is just starting does too."""
    begun = isinstance(error, KafkaConnectionError)
    if not begun and not isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return None
    if protocol.endswith("SSL") and not begun:
        return (
            f"does not begin TLS ({error.args[-1] if error.args else 'it hangs up'}): if that "
            f"port has none, set {_PROTOCOL}={protocol.replace('SSL', 'PLAINTEXT')}, or name the "
            f"port with TLS in {PREFIX}KAFKA_BOOTSTRAP."
        )
    more = _MORE_THAN.get(protocol)
    return more and (
        f"hangs up on {protocol}: if that port wants TLS, or a user and password, set "
        f"{_PROTOCOL} to {more}."
    )


def _untrusted(error: ssl.SSLCertVerificationError, settings: Settings) -> str:
    shows = f"shows a certificate that cannot be trusted ({error.verify_message.rstrip('.')})"
    if error.verify_code in _OTHER_NAME:
        return f"{shows}: let {PREFIX}KAFKA_BOOTSTRAP name the server as its certificate does."
    if settings.kafka_ssl_cafile is None:
        return f"{shows}: set {_CAFILE} to the file of the authority that signed it."
    return (
        f"{shows}: {_CAFILE} is {str(settings.kafka_ssl_cafile)!r}; it must hold the authority "
        "that signed it."
    )


def _silent(where: str) -> KafkaAway:
    return KafkaAway(
        f"Kafka does not answer at {where}: start it, or set {PREFIX}KAFKA_BOOTSTRAP "
        f"(and {_PROTOCOL})."
    )
