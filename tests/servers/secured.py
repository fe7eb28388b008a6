"""Kafka and Redis as a careful operator runs them: TLS, user and password.

    certificates = Certificates(folder)
    with SecuredKafka(certificates) as kafka:
        kafka.at("SASL_SSL")        # host:port of that listener
    with SecuredRedis(certificates) as redis:
        redis.url()                 # rediss://, with the password and the authority

Both keep a listener without TLS, for the tests of what is said when the two are confused.
"""

from pathlib import Path

import redis as client
import trustme
from cryptography.hazmat.primitives import serialization
from redis.exceptions import RedisError

from streams.embedded.child import LOOPBACK, free_port
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis

USER = "clv-tests"
# Told apart from every other word of the program's output, as tests look for it there.
PASSWORD = "Zq7xWv3kPassword"
PROTOCOLS = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SECURITY = "org.apache.kafka.common.security"


class Certificates:
    """A server's certificate for the loopback address, its authority, and an unrelated one.

    Attributes:
        authority: PEM file of the authority that signed the server's certificate.
        stranger: PEM file of an authority that did not.
        chain: PEM file of the server's certificate.
        key: PEM file of its private key.
        both: PEM file of the two, as Kafka takes them.
        misnamed: the same, of a certificate for another host.
    """

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority, self.stranger = folder / "authority.pem", folder / "stranger.pem"
        authority.cert_pem.write_to_path(self.authority)
        trustme.CA().cert_pem.write_to_path(self.stranger)
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.both, self.misnamed = folder / "both.pem", folder / "misnamed.pem"
        self._write(authority.issue_cert(LOOPBACK, "localhost"), self.both)
        self._write(authority.issue_cert("kafka.example.com"), self.misnamed)
        key, _, chain = self.both.read_bytes().partition(b"-----BEGIN CERTIFICATE-----")
        self.key.write_bytes(key)
        self.chain.write_bytes(b"-----BEGIN CERTIFICATE-----" + chain)

    @staticmethod
    def _write(certificate: trustme.LeafCert, target: Path) -> None:
        # Java reads keys in PKCS #8 only.
        key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        target.write_bytes(pem + b"".join(blob.bytes() for blob in certificate.cert_chain_pems))


class SecuredKafka(Kafka):
    """A broker with one listener for each security protocol; PLAINTEXT is `bootstrap`."""

    def __init__(self, certificates: Certificates) -> None:
        super().__init__()
        self._certificates = certificates
        self._ports = {protocol: free_port() for protocol in (*PROTOCOLS, "MISNAMED", "ONE_WAY")}

    def at(self, protocol: str) -> str:
        """Bootstrap address of a listener: `PLAINTEXT`, or one of `PROTOCOLS`.

        `MISNAMED` is TLS with a certificate for another host, `ONE_WAY` takes users by PLAIN only.
        """
        return self.bootstrap if protocol == "PLAINTEXT" else f"{LOOPBACK}:{self._ports[protocol]}"

    def properties(self) -> dict[str, str]:
        """The content of `server.properties`."""
        plain = super().properties()
        more = "".join(f",{name}://{self.at(name)}" for name in self._ports)
        maps = "".join(f",{name}:{name}" for name in PROTOCOLS)
        maps += ",MISNAMED:SSL,ONE_WAY:SASL_PLAINTEXT"
        users = f'{_SECURITY}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        secured = {
            "listeners": plain["listeners"] + more,
            "advertised.listeners": plain["advertised.listeners"] + more,
            "listener.security.protocol.map": plain["listener.security.protocol.map"] + maps,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificates.both),
            "listener.name.misnamed.ssl.keystore.type": "PEM",
            "listener.name.misnamed.ssl.keystore.location": str(self._certificates.misnamed),
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.one_way.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.one_way.plain.sasl.jaas.config": users,
            # Told at once: a client is not to wait for a connection that will not be.
            "connection.failed.authentication.delay.ms": "10",
        }
        for listener in ("sasl_plaintext", "sasl_ssl"):
            jaas = f"listener.name.{listener}.{{}}.sasl.jaas.config"
            secured[jaas.format("plain")] = users
            for mechanism in MECHANISMS[1:]:
                secured[jaas.format(mechanism.lower())] = (
                    f"{_SECURITY}.scram.ScramLoginModule required;"
                )
        return plain | secured

    def _format_options(self) -> list[str]:
        user = f"[name={USER},password={PASSWORD}]"
        return [
            word for mechanism in MECHANISMS[1:] for word in ("--add-scram", f"{mechanism}={user}")
        ]


class SecuredRedis(Redis):
    """A server with a password, on a port with TLS and one without."""

    def __init__(self, certificates: Certificates) -> None:
        self.plain_port = free_port()
        super().__init__(
            {
                "port": str(self.plain_port),
                "requirepass": PASSWORD,
                "tls-cert-file": str(certificates.chain),
                "tls-key-file": str(certificates.key),
                "tls-ca-cert-file": str(certificates.authority),
                "tls-auth-clients": "no",
            }
        )
        self._config["tls-port"] = str(self.port)
        self._authority = certificates.authority

    def url(
        self,
        db: int = 0,
        *,
        scheme: str = "rediss",
        password: str = PASSWORD,
        port: int | None = None,
        authority: Path | None = None,
    ) -> str:
        """What clients are given; by default what is right."""
        trusted = f"?ssl_ca_certs={authority or self._authority}" if scheme == "rediss" else ""
        return f"{scheme}://:{password}@{LOOPBACK}:{port or self.port}/{db}{trusted}"

    def _answers(self) -> bool:
        try:
            with client.Redis.from_url(self.url()) as connection:
                return bool(connection.ping())
        except RedisError:
            return False
