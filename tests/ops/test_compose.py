"""docker-compose.yml, as far as it can be checked where no Docker engine runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from streams.settings import Settings
from tests.ops.known import GRAFANA, ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "compose-spec.json").read_text())
ONE_SHOT = {"topics", "publisher"}
OURS = {"topics", "worker-1", "worker-2", "publisher"}
PORT = Settings.model_fields["metrics_port"].default

# CONTRACT.md's list; the program may know more, a deployment uses these.
CONTRACT = set(
    """
    KAFKA_BOOTSTRAP KAFKA_SECURITY_PROTOCOL KAFKA_SASL_MECHANISM KAFKA_SASL_USERNAME
    KAFKA_SASL_PASSWORD KAFKA_SSL_CAFILE GROUP PARTITIONS REPLICATION_FACTOR REDIS_URL
    REDIS_PREFIX METRICS_PORT CURRENCY RATES HORIZON DISCOUNT_RATE TIERS TIER_METRIC HYSTERESIS
    CHURN_LEVELS CHURN_MIN_VALUE TIMEZONE RETENTION FUTURE_TOLERANCE DEAD_LETTER_LIMIT INSTANCE
    MODEL_PARAMS TICK_INTERVAL CLOCK LOG_FORMAT
    """.split()  # noqa: SIM905 - a list of thirty strings would be a page
)

each_service = pytest.mark.parametrize("name", SERVICES)


def environment(name):
    """A service's environment with every variable at its default."""
    found = SERVICES[name].get("environment", {})
    return {key: without_variables(value) for key, value in found.items()}


def without_variables(value):
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def text(value):
    return value if isinstance(value, str) else " ".join(value or [])


def test_the_file_follows_the_compose_specification():
    # `name` came into the specification after this copy of its schema.
    known = {key: value for key, value in COMPOSE.items() if key != "name"}
    jsonschema.Draft7Validator(SCHEMA).validate(known)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", COMPOSE["name"])


def test_the_schema_bites():
    wrong = {"services": {"redis": {"imagine": "redis"}}}
    assert list(jsonschema.Draft7Validator(SCHEMA).iter_errors(wrong))


def test_one_command_starts_it():
    """Every variable has a default, so that nothing needs to be set first."""
    source = (ROOT / "docker-compose.yml").read_text()
    used = re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", source)
    assert used
    assert [name for name, rest in used if not rest.startswith(":-")] == []
    assert re.findall(r"(?<!\$)\$(?![{$])\w+", source) == []


def test_every_part_is_there():
    assert {
        "kafka",
        "redis",
        "topics",
        "worker-1",
        "worker-2",
        "publisher",
        "prometheus",
        "alertmanager",
        "grafana",
        "kafka-exporter",
        "redis-exporter",
        "node-exporter",
    } == set(SERVICES)
    assert {name for name in SERVICES if SERVICES[name].get("profiles")} == {"publisher"}


@each_service
def test_images_are_pinned(name):
    if name in OURS:
        assert SERVICES[name]["build"] == "."
        return
    image = without_variables(SERVICES[name]["image"])
    assert re.fullmatch(r"[a-z0-9/_-]+:v?\d+\.\d+\.\d+(-alpine)?", image)


def test_ci_tests_on_the_kafka_that_it_ships():
    shipped = without_variables(SERVICES["kafka"]["image"]).partition(":")[2]
    assert re.findall(r"CLV_TEST_KAFKA=(\S+)", (ROOT / ".ci" / "run").read_text()) == [shipped]
    told = (GRAFANA / "README.md").read_text()
    assert f"| `KAFKA_VERSION` | {shipped} |" in told
    assert f"those of `tests/sinks` and `tests/streams` on {shipped} as well" in told


@each_service
def test_nothing_runs_as_root_or_without_bounds(name):
    service = SERVICES[name]
    assert str(service["user"]).split(":")[0] not in {"", "0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


@each_service
def test_ports_are_open_to_this_machine_only(name):
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_no_port_is_given_out_twice():
    ports = [port.rsplit(":", 1)[0] for each in SERVICES.values() for port in each.get("ports", [])]
    assert len(ports) == len(set(ports))


@each_service
def test_a_service_that_goes_on_has_a_health_check(name):
    check = SERVICES[name]["healthcheck"]
    if name in ONE_SHOT:
        assert check == {"disable": True}
    else:
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout", "retries"} <= set(check)


def test_services_wait_for_what_can_become_true():
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_completed_successfully":
                assert other in ONE_SHOT
            else:
                assert how["condition"] == "service_healthy"
                assert other not in ONE_SHOT


@each_service
def test_what_is_mounted_exists(name):
    for mount in SERVICES[name].get("volumes", []):
        source, _, mode = mount.split(":")[0], mount.split(":")[1], mount.split(":")[2:]
        if source.startswith("."):
            assert (ROOT / source).is_dir()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]
    used = {m.split(":")[0] for each in SERVICES.values() for m in each.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= used


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_variable_is_a_setting_and_its_default_is_valid(name, monkeypatch):
    ours = {key: value for key, value in environment(name).items() if key.startswith("CLV_")}
    assert ours
    names = {key.removeprefix("CLV_") for key in ours}
    assert names <= CONTRACT | {
        "PUBLISHER_SILENCE",
        "BATCH_EVENTS",
    }  # settings may be added to the contract's
    assert names <= {field.upper() for field in Settings.model_fields}
    for key in list(os.environ):
        if key.startswith("CLV_"):
            monkeypatch.delenv(key)
    for key, value in ours.items():
        monkeypatch.setenv(key, value)
    settings = Settings.load()
    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.metrics_port == PORT


def test_no_other_service_gets_a_setting():
    for name in set(SERVICES) - OURS:
        assert not [key for key in environment(name) if key.startswith("CLV_")]


def test_each_worker_has_an_instance_of_its_own():
    instances = [environment(name)["CLV_INSTANCE"] for name in ("worker-1", "worker-2")]
    assert len(set(instances)) == 2


def test_every_setting_can_be_given_from_outside():
    """Those left out are the stack's own: where Kafka and Redis are, ports, workers' names.

    grafana/README.md names them.
    """
    own = {name for name in Settings.model_fields if name.startswith("kafka_")}
    own |= {"redis_url", "metrics_port", "instance", "model_params"}
    paragraph = (GRAFANA / "README.md").read_text().partition("\nNot passed on")[2].split("\n")[0]
    assert {name.lower() for name in re.findall(r"`CLV_(\w+)`", paragraph)} == own
    given = {
        key.removeprefix("CLV_").lower()
        for key, value in SERVICES["worker-1"]["environment"].items()
        if key.startswith("CLV_") and value.startswith(f"${{{key}:-")
    }
    assert given == set(Settings.model_fields) - own


PAGES = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("grafana/*.md")]


def test_pages_name_services_and_the_password_as_they_are():
    pages = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"docker compose (?:exec|run --rm) ([a-z][a-z0-9-]*)", pages))
    assert {"worker-1", "redis", "kafka", "topics"} <= named <= set(SERVICES)
    default = environment("redis")["REDIS_PASSWORD"]
    port = SERVICES["redis"]["ports"][0].removeprefix("127.0.0.1:").split(":")[0]
    addresses = re.findall(r"redis://:[^@]+@localhost[^ `]*", pages)
    assert set(addresses) == {f"redis://:{default}@localhost:{port}/0"}


def test_kafkas_tools_on_the_pages_say_where_kafka_is():
    pages = "\n".join(page.read_text() for page in PAGES)
    commands = re.findall(r"kafka-[a-z-]+\.sh [^`\n]*", pages)
    typed = [command for command in commands if "random-uuid" not in command]
    assert typed
    assert [command for command in typed if "--bootstrap-server kafka:9092" not in command] == []


def test_secrets_come_from_the_environment():
    """No service has a password that the environment does not replace."""
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|_URL$|SECRET", key):
                assert "${" in value
        assert "for-trying-out" not in text(service.get("command"))


def test_addresses_within_the_stack_are_those_of_its_services():
    def known(address):
        host, _, port = address.rpartition(":")
        assert host in SERVICES, address
        return int(port)

    assert known(environment("worker-1")["CLV_KAFKA_BOOTSTRAP"]) == 9092
    listeners = environment("kafka")["KAFKA_ADVERTISED_LISTENERS"]
    assert "INTERNAL://kafka:9092" in listeners
    assert SERVICES["kafka"]["ports"] == ["127.0.0.1:9092:19092"]
    assert "HOST://localhost:9092" in listeners
    assert "HOST://:19092" in environment("kafka")["KAFKA_LISTENERS"]
    assert "@redis:6379/" in environment("worker-1")["CLV_REDIS_URL"]
    assert "--kafka.server=kafka:9092" in SERVICES["kafka-exporter"]["command"]
    assert environment("redis-exporter")["REDIS_ADDR"] == "redis://redis:6379"


def megabytes(text):
    number, unit = re.fullmatch(r"(\d+)([mg])b?", without_variables(text)).groups()
    return int(number) * {"m": 1, "g": 1024}[unit]


def test_redis_has_room_to_write_its_file_anew():
    """Its `maxmemory` is of data alone: the process that writes them anew shares no page that
    changes meanwhile, and all change where a partition is written again."""
    command = text(SERVICES["redis"]["command"])
    maxmemory = re.search(r"--maxmemory (\S+)", command)[1]
    limit = SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"]
    assert megabytes(limit) >= 2 * megabytes(maxmemory)
    assert "--appendonly yes --save ''" in command  # one file is enough
    page = (GRAFANA / "README.md").read_text()
    for name in ("WORKER_MEMORY", "REDIS_MAXMEMORY", "REDIS_MEMORY"):
        default = re.search(rf"\$\{{{name}:-(\w+)}}", (ROOT / "docker-compose.yml").read_text())[1]
        assert f"| `{name}` | `{default}` |" in page


@pytest.mark.parametrize("name", sorted(OURS))
def test_sigterm_ends_whatever_the_image_runs(name):
    """The kernel gives process 1 no default action: `clv simulate` would have to be killed."""
    assert SERVICES[name]["init"] is True


def test_the_exporter_tells_of_the_group_that_the_workers_have():
    wanted = SERVICES["worker-1"]["environment"]["CLV_GROUP"]
    assert wanted == "${CLV_GROUP:-}"
    default = Settings.model_fields["group"].default
    assert f"--group.filter=^${{CLV_GROUP:-{default}}}" in SERVICES["kafka-exporter"]["command"]


def test_prometheus_scrapes_every_worker_and_exporter_where_it_listens():
    config = yaml.safe_load((GRAFANA / "prometheus" / "prometheus.yml").read_text())
    targets = {
        job["job_name"]: [t for each in job["static_configs"] for t in each["targets"]]
        for job in config["scrape_configs"]
    }
    assert targets["clv"] == [f"worker-1:{PORT}", f"worker-2:{PORT}"]
    for job, name, port in (
        ("kafka", "kafka-exporter", 9308),
        ("redis", "redis-exporter", 9121),
        ("node", "node-exporter", 9100),
        ("alertmanager", "alertmanager", 9093),
    ):
        assert targets[job] == [f"{name}:{port}"]
        assert f":{port}/" in text(SERVICES[name]["healthcheck"]["test"])
    seen = dict(mount.split(":")[:2] for mount in SERVICES["node-exporter"]["volumes"])
    asked = re.findall(
        r'mountpoint="([^"]+)"', (GRAFANA / "prometheus/rules/alerts.yml").read_text()
    )
    assert set(seen.values()) == set(asked)
    for name in ("kafka", "redis"):
        (data,) = [m.split(":")[0] for m in SERVICES[name]["volumes"]]
        assert seen[data] == f"/{name}"


@pytest.mark.parametrize("name", ["worker-1", "worker-2"])
def test_a_workers_health_check_asks_for_a_path_that_it_serves(name):
    check = SERVICES[name]["healthcheck"]["test"]
    assert f"http://127.0.0.1:{PORT}/readyz" in check[-1]
    compile(check[-1], "health check", "exec")
    assert SERVICES[name]["ports"][0].endswith(f":{PORT}")


@pytest.mark.parametrize("name", sorted(OURS))
def test_commands_are_ones_that_the_program_has(name):
    words = [word for word in SERVICES[name]["command"] if not word.startswith("--")]
    options = [word.split("=")[0] for word in SERVICES[name]["command"] if word.startswith("--")]
    code = "import sys; from streams.cli.main import main; sys.argv[0] = 'clv'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    for option in options:
        assert option in done.stdout


def test_grafana_finds_dashboards_and_the_data_source():
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "clv.yml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert mounts["./grafana/dashboards"] == path
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    home = environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (GRAFANA / "dashboards" / Path(home).name).is_file()
    assert str(Path(home).parent) == path
    source = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    for file in (GRAFANA / "dashboards").glob("*.json"):
        variable = json.loads(file.read_text())["templating"]["list"][0]
        assert variable["current"]["value"] == source["datasources"][0]["uid"]
    interval = yaml.safe_load((GRAFANA / "prometheus" / "prometheus.yml").read_text())["global"]
    assert source["datasources"][0]["jsonData"]["timeInterval"] == interval["scrape_interval"]


def test_alertmanager_reads_the_files_that_its_container_writes():
    config = yaml.safe_load((GRAFANA / "alertmanager" / "alertmanager.yml").read_text())
    files = [hook["url_file"] for each in config["receivers"] for hook in each["webhook_configs"]]
    command = text(SERVICES["alertmanager"]["command"])
    assert all(f"> {file} &&" in command for file in files)
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["alertmanager"]["volumes"])
    assert f"{mounts['./grafana/alertmanager']}/alertmanager.yml" in command
