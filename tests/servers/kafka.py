"""A real Apache Kafka without Docker: the jars from Maven Central, KRaft, one node.

    with Kafka() as kafka:
        create_topics(kafka.bootstrap, {"clv.purchases": 4})
        ...
        kafka.kill(); kafka.start()      # same port, same data

`kafka = Kafka(version="4.1.0", properties={"num.io.threads": "4"})` for another version or
settings; `CLV_TEST_KAFKA=4.1.0` makes it the one that all tests use. Jars are fetched once per
version into `$XDG_CACHE_HOME/clv-stream/`.
"""

import asyncio
import base64
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.embedded.child import LOOPBACK, ServerFailedError, free_port
from tests.servers.server import Server, UnavailableError

DEFAULT_VERSION = os.environ.get("CLV_TEST_KAFKA", "3.9.1")
JAVA_VERSION_MIN = 17
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
FETCH_SECONDS_MAX = 600
_POM = Path(__file__).with_name("pom.xml")
_LOGGING = """\
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d %p %m (%c)%n
log4j.logger.org.apache.kafka=WARN
log4j.logger.kafka=WARN
log4j.logger.state.change.logger=WARN
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""


def cache_directory() -> Path:
    """Where jars are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clv-stream"


def java() -> str:
    """Path of a Java that is new enough.

    Raises:
        UnavailableError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if not found:
        raise UnavailableError(f"no `java` on the path (Java {JAVA_VERSION_MIN} or newer)")
    seen = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    words = seen.stderr.split('"')  # openjdk version "17.0.15" 2025-04-15
    major = words[1].split(".")[0].split("-")[0] if len(words) > 1 else ""
    if not major.isdigit() or int(major) < JAVA_VERSION_MIN:
        raise UnavailableError(f"`{found}` is not Java {JAVA_VERSION_MIN} or newer")
    return found


def jars(version: str) -> Path:
    """Folder with the jars of one Kafka version, fetched where it is not there yet.

    Raises:
        UnavailableError: no `mvn` on the path, or Maven Central could not be reached.
    """
    folder = cache_directory() / f"kafka-{version}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if not maven:
        raise UnavailableError("no `mvn` on the path to fetch Apache Kafka's jars with")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Complete or absent: the folder appears under its name by one rename.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as fetching:
        target = Path(fetching) / "lib"
        command = [maven, "-B", "-q", "-f", str(_POM), COPY_DEPENDENCIES]
        command += [f"-Dkafka.version={version}", "-DincludeScope=runtime"]
        try:
            fetched = subprocess.run(
                [*command, f"-DoutputDirectory={target}"],
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=FETCH_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError("Maven Central did not answer in time") from None
        if fetched.returncode != 0:
            errors = [line for line in fetched.stdout.splitlines() if "ERROR" in line]
            raise UnavailableError(
                f"Maven could not fetch Kafka {version}: {(errors or ['no message'])[0]}"
            )
        try:
            target.rename(folder)
        except OSError:
            if not folder.is_dir():  # another run was faster: its jars are the same
                raise
    return folder


@dataclass(frozen=True)
class RunningKafka:
    """A broker that somebody else runs: it can be used, but not stopped."""

    bootstrap: str


class Kafka(Server):
    """One broker that is its own controller."""

    name = "kafka"
    ready_seconds_max = 90.0

    def __init__(
        self,
        version: str = DEFAULT_VERSION,
        properties: Mapping[str, str] | None = None,
        *,
        heap_mb: int = 768,
        directory: Path | None = None,
    ) -> None:
        super().__init__(directory)
        self.version = version
        self.heap_mb = heap_mb
        self._controller_port = free_port()
        self._properties = dict(properties or {})

    @property
    def bootstrap(self) -> str:
        """What clients are given as bootstrap servers."""
        return self.address

    def properties(self) -> dict[str, str]:
        """The content of `server.properties`."""
        controller = f"{LOOPBACK}:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
            # One node has one replica to give.
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # Tests start many groups: do not wait for members that will not come, and do not
            # spread the few groups over fifty partitions that must all be made first.
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            # A topic that nobody made is a mistake that must show.
            "auto.create.topics.enable": "false",
            "group.min.session.timeout.ms": "1000",
            # A killed broker is let in again only when its last life's session is over.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            **self._properties,
        }

    def _command(self) -> list[str]:
        run = [java(), f"-Xmx{self.heap_mb}m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        logging = self.directory / "log4j.properties"
        logging.write_text(_LOGGING)
        run += [f"-Dlog4j.configuration={logging.as_uri()}", "-Djava.awt.headless=true"]
        run += ["-cp", f"{jars(self.version)}/*"]
        config = self.directory / "server.properties"
        config.write_text("".join(f"{k}={v}\n" for k, v in self.properties().items()))
        if not (self.directory / "data" / "meta.properties").exists():
            self._format(run, config)
        return [*run, "kafka.Kafka", str(config)]

    def _format(self, run: list[str], config: Path) -> None:
        """Gives the empty data folder its identity, as `kafka-storage.sh format` does."""
        # `--cluster-id=…`, for an id may begin with a dash.
        command = [*run, "kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster()}"]
        command += ["--config", str(config), *self._format_options()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerFailedError(
                f"Kafka's storage could not be made.\n{done.stdout}{done.stderr}"
            )

    def _cluster(self) -> str:
        """The id of the cluster that it belongs to."""
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")

    def _format_options(self) -> list[str]:
        """More options of `kafka-storage.sh format`."""
        return []

    def _answers(self) -> bool:
        return answers(self.bootstrap)

    def logs(self) -> list[Path]:
        """The files that hold the topics' records, its own among them."""
        return list((self.directory / "data").glob("*/*.log"))


class SecondKafka(Kafka):
    """A broker beside another one: it has what is placed on it, and no vote.

    Attributes:
        first: the other one, which runs.
    """

    name = "second-kafka"
    node = 2

    def __init__(self, first: Kafka) -> None:
        super().__init__(first.version)
        self.first = first

    def properties(self) -> dict[str, str]:
        """As the other one's, but for who it is, and that it leads no cluster."""
        own = {
            "process.roles": "broker",
            "node.id": str(self.node),
            "controller.quorum.voters": self.first.properties()["controller.quorum.voters"],
            "listeners": f"PLAINTEXT://{self.address}",
        }
        return super().properties() | own

    def _cluster(self) -> str:
        told = (self.first.directory / "data" / "meta.properties").read_text().splitlines()
        return next(line for line in told if line.startswith("cluster.id=")).partition("=")[2]

    def _answers(self) -> bool:
        return self.node in brokers(self.first.bootstrap)


def brokers(bootstrap: str, seconds_max: float = 1.0) -> set[int]:
    """Ids of the brokers that one of them knows; none where it does not answer."""
    try:
        client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        return set(client.list_topics(timeout=seconds_max).brokers)
    except KafkaException:
        return set()


def answers(bootstrap: str, seconds_max: float = 1.0) -> bool:
    """Whether a broker at this address names itself in its metadata."""
    return bool(brokers(bootstrap, seconds_max))


def create_topics(
    bootstrap: str,
    partitions: Mapping[str, int],
    configs: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Creates topics; those that exist are left as they are. Not within a running event loop.

    Args:
        bootstrap: the broker.
        partitions: number of partitions by topic.
        configs: topic settings by topic.
    """
    asyncio.run(create_topics_async(bootstrap, partitions, configs))


async def create_topics_async(
    bootstrap: str,
    partitions: Mapping[str, int],
    configs: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """`create_topics` for use within an event loop."""
    configs = configs or {}
    topics = [
        NewTopic(name, count, 1, topic_configs=dict(configs.get(name, {})))
        for name, count in partitions.items()
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        response: Any = await admin.create_topics(topics)
    finally:
        await admin.close()
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"topic {name}: {message}")
