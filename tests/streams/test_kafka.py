import ssl

import pytest
from aiokafka.errors import KafkaTimeoutError, RequestTimedOutError

from streams import kafka
from streams.settings import Settings
from streams.wrong_settings import WrongSettings


def test_plain_is_plain():
    arguments = kafka.connection(Settings(kafka_bootstrap="a:1,b:2"))
    assert arguments == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


def test_sasl_over_tls_carries_everything():
    arguments = kafka.connection(
        Settings(
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_mechanism="SCRAM-SHA-512",
            kafka_sasl_username="clv",
            kafka_sasl_password="hunter2",
        )
    )
    assert arguments["security_protocol"] == "SASL_SSL"
    assert arguments["sasl_mechanism"] == "SCRAM-SHA-512"
    assert arguments["sasl_plain_username"] == "clv"
    assert arguments["sasl_plain_password"] == "hunter2"
    context = arguments["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_file_without_certificates_is_a_wrong_setting(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(WrongSettings, match="CLV_KAFKA_SSL_CAFILE is"):
        kafka.connection(Settings(kafka_security_protocol="SSL", kafka_ssl_cafile=file))


@pytest.mark.parametrize("client", [kafka.admin, kafka.producer, kafka.consumer])
async def test_no_kafka_is_one_sentence(client, unused_tcp_port):
    settings = Settings(kafka_bootstrap=f"127.0.0.1:{unused_tcp_port}")
    with pytest.raises(kafka.KafkaAway) as away:
        async with client(settings):
            pass
    where = f"127.0.0.1:{unused_tcp_port}"
    assert str(away.value).startswith(f"Kafka does not answer at {where}: start it, or set CLV_")


@pytest.mark.parametrize("error", [KafkaTimeoutError("no end offsets"), RequestTimedOutError()])
async def test_who_does_not_answer_in_time_has_refused_nothing(error):
    with pytest.raises(kafka.KafkaAway, match=r"did not answer in time \(.*\): is it busy"):
        async with kafka.reaching(Settings()):
            raise error
