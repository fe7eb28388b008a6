"""Every setting of CONTRACT.md; each wrong one names itself, what it was and what it may be."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from models.parameters import CDNOW
from streams.settings import Settings
from streams.wrong_settings import WrongSettings

# Source: CONTRACT.md, Settings.
CONTRACT = (
    "KAFKA_BOOTSTRAP KAFKA_SECURITY_PROTOCOL KAFKA_SASL_MECHANISM KAFKA_SASL_USERNAME "
    "KAFKA_SASL_PASSWORD KAFKA_SSL_CAFILE GROUP PARTITIONS REPLICATION_FACTOR REDIS_URL "
    "REDIS_PREFIX METRICS_PORT CURRENCY RATES HORIZON DISCOUNT_RATE TIERS TIER_METRIC HYSTERESIS "
    "CHURN_LEVELS CHURN_MIN_VALUE TIMEZONE RETENTION FUTURE_TOLERANCE DEAD_LETTER_LIMIT INSTANCE "
    "MODEL_PARAMS TICK_INTERVAL CLOCK LOG_FORMAT"
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in os.environ:
        if name.startswith("CLV_"):
            monkeypatch.delenv(name)


@pytest.fixture
def complaint(monkeypatch):
    """What is said about one setting."""

    def said(name, value):
        monkeypatch.setenv(name, value)
        with pytest.raises(WrongSettings) as wrong:
            Settings.load()
        return str(wrong.value)

    return said


def test_every_setting_of_the_contract_is_there():
    assert {name.lower() for name in CONTRACT.split()} <= set(Settings.model_fields)


def test_defaults_are_the_contracts():
    settings = Settings.load()
    assert settings.kafka_bootstrap == "localhost:9092"
    assert settings.redis_url.get_secret_value() == "redis://localhost:6379/0"
    assert settings.redis_prefix == "clv:"
    assert settings.metrics_port == 9464
    assert (settings.group, settings.partitions, settings.replication_factor) == ("clv", 4, 1)
    assert settings.currency == "EUR"
    assert settings.horizon == timedelta(days=365)
    assert settings.retention == timedelta(days=730)
    assert settings.future_tolerance_ms == 3_600_000
    assert settings.tick_interval_seconds == 0.25
    assert settings.dead_letter_limit == 0.5
    assert (settings.clock, settings.log_format) == ("wall", "text")


def test_settings_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("CLV_RATES", "USD=0.92,GBP=1.17")
    monkeypatch.setenv("CLV_TIERS", "a:-1,b:5")
    monkeypatch.setenv("CLV_CHURN_LEVELS", "gone:0.9")
    monkeypatch.setenv("CLV_HORIZON", "90d")
    monkeypatch.setenv("CLV_INSTANCE", "")
    settings = Settings.load(partitions=8)
    assert settings.rates == {"USD": Decimal("0.92"), "GBP": Decimal("1.17")}
    policy = settings.policy()
    assert policy.tiers == (("a", -1), ("b", 5))
    assert policy.level_names == ("low", "gone")
    assert policy.horizon_days == 90.0
    assert settings.instance is None
    assert settings.partitions == 8


@pytest.mark.parametrize(
    ("name", "value", "may_be"),
    [
        ("CLV_KAFKA_BOOTSTRAP", "kafka", "must be host:port"),
        ("CLV_KAFKA_BOOTSTRAP", "kafka:9092,kafka:65536", "must be host:port"),
        ("CLV_KAFKA_BOOTSTRAP", "kafka:0", "must be host:port"),
        ("CLV_KAFKA_SECURITY_PROTOCOL", "TLS", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ("CLV_KAFKA_SASL_MECHANISM", "MD5", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
        ("CLV_KAFKA_SSL_CAFILE", "/nowhere", "path of a file that exists"),
        ("CLV_GROUP", "a b", "letters, digits"),
        ("CLV_INSTANCE", "a/b", "letters, digits"),
        ("CLV_PARTITIONS", "0", "whole number, at least 1 and at most 10000"),
        ("CLV_PARTITIONS", "four", "whole number, at least 1"),
        ("CLV_REPLICATION_FACTOR", "0", "at least 1"),
        ("CLV_REDIS_PREFIX", "a b", "without spaces"),
        ("CLV_METRICS_PORT", "tcp://10.0.0.1:9464", "at least 0 and at most 65535"),
        ("CLV_CURRENCY", "euro", "three capital letters"),
        ("CLV_RATES", "USD:1", "USD=0.92,GBP=1.17"),
        ("CLV_HORIZON", "365", "365d, 1h30m or 250ms"),
        ("CLV_HORIZON", "12h", "from 1d to 3660d"),
        ("CLV_DISCOUNT_RATE", "10%", "must be a number, at least 0 and at most 1"),
        ("CLV_TIERS", "bronze:100", "must begin at 0 or below"),
        ("CLV_TIERS", "bronze:0,silver:0", "silver (0) is not above bronze (0)"),
        ("CLV_TIERS", "bronze", "bronze:0,silver:10000"),
        ("CLV_TIER_METRIC", "median", "rolling, total or predicted"),
        ("CLV_HYSTERESIS", "1", "at least 0 and below 1"),
        ("CLV_CHURN_LEVELS", "high:50", "below 1"),
        ("CLV_CHURN_MIN_VALUE", "-1", "at least 0"),
        ("CLV_TIMEZONE", "Mars", "Europe/Berlin"),
        ("CLV_RETENTION", "5h", "from 1d to 3660d, of whole days"),
        ("CLV_RETENTION", "47h", "from 1d to 3660d, of whole days"),
        ("CLV_FUTURE_TOLERANCE", "soon", "a duration such as"),
        ("CLV_DEAD_LETTER_LIMIT", "50%", "above 0 and at most 1"),
        ("CLV_MODEL_PARAMS", "/nowhere.json", "path of a file that exists"),
        ("CLV_TICK_INTERVAL", "1ms", "from 10ms to 1d"),
        ("CLV_CLOCK", "sundial", "wall or events"),
        ("CLV_LOG_FORMAT", "xml", "text or json"),
    ],
)
def test_a_wrong_setting_names_itself_and_what_it_may_be(complaint, name, value, may_be):
    said = complaint(name, value)
    assert said.startswith(f"{name} is '{value}'; it must be ")
    assert may_be in said
    assert said.count("\n") == 0


def test_wrong_settings_end_with_status_two():
    assert WrongSettings.status == 2


def test_each_wrong_setting_gets_a_sentence(monkeypatch, complaint):
    monkeypatch.setenv("CLV_CLOCK", "x")
    assert complaint("CLV_PARTITIONS", "y").count("\n") == 1


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("CLV_TEIRS", "CLV_TIERS"),
        ("CLV_TIER", "CLV_TIERS"),
        ("CLV_KAFKA_BOOTSTRAP_SERVERS", "CLV_KAFKA_BOOTSTRAP"),
        ("CLV_CHURN_LEVEL", "CLV_CHURN_LEVELS"),
    ],
)
def test_a_misspelt_setting_is_told(complaint, misspelt, meant):
    assert complaint(misspelt, "1") == f"{misspelt} is no setting; did you mean {meant}?"


@pytest.mark.parametrize("name", ["CLV_REQUIRE_KAFKA", "CLV_REQUIRE_REDIS", "CLV_REDIS_PORT"])
def test_other_peoples_variables_are_left_alone(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    Settings.load()


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/abc",
        "rediss://:hunter2@redis/1/2",
        "redis://redis/-1",
        "redis://redis:6379?db=abc",
        "redis://redis/0?db=1x",
        "unix:///run/redis.sock?db=abc",
    ],
)
def test_a_database_of_redis_that_is_no_number_is_not_taken_for_another(complaint, url):
    said = complaint("CLV_REDIS_URL", url)
    assert said.startswith("CLV_REDIS_URL has a wrong value (not shown")
    assert "it must name the database by its number" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis",
        "redis://redis/",
        "redis:///7",
        "rediss://user:hunter2@redis:6380/12?ssl_cert_reqs=none",
        "redis://redis?db=3",
        "unix:///run/redis.sock",
        "unix:///run/redis.sock?db=3",
    ],
)
def test_a_database_of_redis_may_be_left_out_or_be_a_number(monkeypatch, url):
    monkeypatch.setenv("CLV_REDIS_URL", url)
    assert Settings.load().redis_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CLV_HORIZON_DAYS", "CLV_HORIZON_DAYS (is it CLV_HORIZON?)"),
        ("CLV_TIER_THRESHOLDS", "CLV_TIER_THRESHOLDS (is it CLV_TIERS?)"),
        ("CLV_GROUP_ID", "CLV_GROUP_ID (is it CLV_GROUP?)"),
        ("CLV_KAFKA_BROKERS", "CLV_KAFKA_BROKERS (is it CLV_KAFKA_BOOTSTRAP?)"),
        ("CLV_REPLICATION", "CLV_REPLICATION (is it CLV_REPLICATION_FACTOR?)"),
        ("CLV_BATCH_SIZE", "CLV_BATCH_SIZE (is it CLV_BATCH_EVENTS?)"),
        ("CLV_LOG_LEVEL", "CLV_LOG_LEVEL (is it CLV_LOG_FORMAT?)"),
        ("CLV_MODEL", "CLV_MODEL (is it CLV_MODEL_PARAMS?)"),
        ("clv_teirs", "clv_teirs (is it CLV_TIERS?)"),
        ("CLV_TZ", "CLV_TZ"),
    ],
)
def test_any_other_unknown_name_is_told_with_what_may_be_meant(monkeypatch, name, told):
    monkeypatch.setenv(name, "hunter2")
    Settings.load()  # it is no error: it may belong to whoever deploys
    assert told in Settings.without_effect()


@pytest.mark.parametrize(
    "name",
    ["CLV_TEST_EVENTS", "CLV_CHAOS_SEED", "CLV_REQUIRE_KAFKA", "clv_tiers", "CLV_TIERS", "CLVX"],
)
def test_of_settings_and_of_what_tests_read_nothing_is_told(monkeypatch, name):
    before = Settings.without_effect()
    monkeypatch.setenv(name, "1")
    assert Settings.without_effect() == before


def test_secrets_are_never_shown(complaint, monkeypatch):
    assert "hunter2" not in complaint("CLV_REDIS_URL", "http://:hunter2@redis")
    monkeypatch.setenv("CLV_REDIS_URL", "redis://user:hunter2@redis:6380/1")
    assert "hunter2" not in complaint("CLV_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("CLV_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("CLV_KAFKA_SASL_USERNAME", "clv")
    monkeypatch.setenv("CLV_KAFKA_SASL_PASSWORD", "hunter2")
    settings = Settings.load()
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.redis_address == "redis:6380/1"


def test_sasl_needs_user_and_password(complaint, monkeypatch):
    said = complaint("CLV_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    assert said.startswith("CLV_KAFKA_SASL_USERNAME is not set")
    monkeypatch.setenv("CLV_KAFKA_SASL_USERNAME", "clv")
    assert complaint("CLV_KAFKA_SECURITY_PROTOCOL", "SASL_SSL").startswith(
        "CLV_KAFKA_SASL_PASSWORD is not set"
    )


@pytest.mark.parametrize("name", ["CLV_KAFKA_SASL_USERNAME", "CLV_KAFKA_SASL_PASSWORD"])
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_user_that_would_not_be_shown_to_kafka_is_refused(complaint, monkeypatch, name, protocol):
    monkeypatch.setenv("CLV_KAFKA_SECURITY_PROTOCOL", protocol)
    said = complaint(name, "clv")
    assert said.startswith(f"{name} is set, and CLV_KAFKA_SECURITY_PROTOCOL={protocol} shows")
    assert "SASL_SSL" in said


def test_the_reporting_currency_is_worth_one(complaint):
    assert "leave it out" in complaint("CLV_RATES", "EUR=1.1")


def test_model_parameters_are_cdnows_by_default():
    assert Settings.load().policy().params is CDNOW


def test_model_parameters_are_read_from_a_file(tmp_path):
    file = tmp_path / "params.json"
    file.write_text(json.dumps(replace(CDNOW, version="mine", currency="EUR").to_json()))
    assert Settings.load(model_params=file).params().version == "mine"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "must be a file that `clv fit` wrote"),
        ("[]", "must be a file that `clv fit` wrote"),
        ("{}", "model is missing"),
        (json.dumps(CDNOW.to_json()), "fitted in USD"),
        (
            json.dumps(replace(CDNOW, currency="EUR", v=1e300).to_json()),
            "can be scored by, and does not: no customer can be scored by them over 365 days",
        ),
    ],
)
def test_a_file_that_holds_no_model_is_refused(tmp_path, content, said):
    file = tmp_path / "params.json"
    file.write_text(content)
    with pytest.raises(WrongSettings) as wrong:
        Settings.load(model_params=file).params()
    assert str(wrong.value).startswith(f"CLV_MODEL_PARAMS is '{file}'")
    assert said in str(wrong.value)
