"""What went wrong with Redis: whether to wait, or to say what must be put right."""

from typing import Final
from urllib.parse import urlsplit

from redis import exceptions

from sinks.sink import Unavailable, Unusable

LONG_PAUSE_S: Final = 1.0
"""Where Redis answers that it cannot write now, asking ten times a second only costs it time."""

# Answers of a server that may be different later: code, and what people are told.
_PASSING: Final = {
    "OOM": "is full: raise its maxmemory",
    "READONLY": "is a replica: name the primary in CLV_REDIS_URL",
    "LOADING": "is still loading its data",
    "CLUSTERDOWN": "belongs to a cluster that is down: mend it, or set CLV_REDIS_URL",
    "MASTERDOWN": "is a replica that has lost its primary: name that in CLV_REDIS_URL",
    "MISCONF": "cannot save to disk, and takes no writes until it can: look at its log",
    "NOREPLICAS": "takes no writes, as it has too few replicas: start them",
    "TRYAGAIN": "is moving keys",
    "BUSY": "is busy with somebody's script: `SCRIPT KILL` ends it",
    "UNKILLABLE": "is busy with somebody's script, which has written and must end by itself",
}

# redis-py gives some codes a class of their own, and takes them out of the message.
_CODES: Final = {
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.BusyLoadingError: "LOADING",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.TryAgainError: "TRYAGAIN",
}

_CLUSTER: Final = (
    exceptions.MovedError,
    exceptions.AskError,
    exceptions.ClusterCrossSlotError,
)
# What redis-py keeps of errors that came before a connection was there.
_CONNECTING: Final = "connecting to"
_UNTRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"

_DENIED: Final = (
    exceptions.AuthenticationError,
    exceptions.AuthenticationWrongNumberOfArgsError,
    exceptions.AuthorizationError,
    exceptions.NoPermissionError,
)


def address(url: str) -> str:
    """Where a Redis URL points to, without user, password and options: for messages."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}{parts.path.rstrip('/')}"


def explain(error: Exception, where: str) -> Unavailable | Unusable:
    """What a sink raises for an error of redis-py.

    Args:
        error: a `RedisError` or `OSError`.
        where: the server's address.

    Returns:
        `Unavailable` where waiting can help, else `Unusable`, to be raised from the error.
    """
    code = _code(error)
    if code in _PASSING:
        return Unavailable(
            f"Redis at {where} {_PASSING[code]}", code=code.lower(), pause_s=LONG_PAUSE_S
        )
    sentence = _sentence(error, code)
    if sentence:
        return Unusable(f"Redis at {where} {sentence}")
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return Unavailable(f"Redis at {where} does not answer in time: is it busy?", code="timeout")
    if isinstance(error, (exceptions.ConnectionError, OSError)):
        what = f"Redis at {where} is away: start it, or set CLV_REDIS_URL ({error})"
        return Unavailable(what, code="connection")
    return Unusable(f"Redis at {where} answers: {error}.")


def tls_hint(error: Exception, url: str) -> str | None:
    """What to do where the URL seems to be of another kind than the port; None: no sign of it.

    Args:
        error: a `RedisError` or `OSError`, of the first use of a connection.
        url: that was to be reached.
    """
    if urlsplit(url).scheme == "rediss":
        # A server without TLS waits for the rest of what it takes for a command.
        slow = isinstance(error, (exceptions.TimeoutError, TimeoutError))
        return "if that port has no TLS, let CLV_REDIS_URL begin with redis://" if slow else None
    lost = isinstance(error, (exceptions.ConnectionError, ConnectionError))
    if lost and _CONNECTING not in str(error):
        return "if that port wants TLS, let CLV_REDIS_URL begin with rediss://"
    return None


def _sentence(error: Exception, code: str) -> str | None:
    """What to do about a server that is set up wrong for us; None for any other error."""
    if isinstance(error, _DENIED) or code in {"NOAUTH", "WRONGPASS"}:
        return (
            f"refuses us ({str(error).rstrip('.')}): put a user and password that may read and "
            "write into CLV_REDIS_URL."
        )
    if _UNTRUSTED in str(error):
        return (
            f"shows a certificate that cannot be trusted ({_verdict(str(error))}): let "
            "CLV_REDIS_URL name the file of the authority that signed it, as in "
            "rediss://:PASSWORD@HOST:PORT/0?ssl_ca_certs=/etc/ssl/redis-ca.pem."
        )
    if isinstance(error, _CLUSTER):
        return (
            "is a cluster, over which scores and ranks cannot be written in one transaction: let "
            "CLV_REDIS_URL name a single server, with replicas if need be."
        )
    if code == "WRONGTYPE":
        return (
            "holds something else under a key that scores, ranks or marks are written to: delete "
            "that key, or choose another CLV_REDIS_PREFIX."
        )
    return None


def _verdict(text: str) -> str:
    """OpenSSL's own words, out of "… certificate verify failed: self-signed … (_ssl.c:1006)."."""
    return text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or text


def _code(error: Exception) -> str:
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    words = str(error).split(None, 1)
    return words[0] if words else ""
