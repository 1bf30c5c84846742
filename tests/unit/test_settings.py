"""Settings: each from its variable, and a value that cannot be used is one line that names it."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest

from streamapp.formats.named import FormatName
from streamapp.kafka.clients import librdkafka
from streamapp.pipelines.clicks.settings import CLICKS, JOINED
from streamapp.pipelines.settings import AppSettings
from streamapp.settings import PREFIX, Settings, SettingsError

BAD_VALUES = {
    "broker": ["", "kafka", "host:", ":9092", "host:0", "host:65536", "host:²", "http://host:1", "a:1,",
               "a:1 b:2", "user:secret@host:9092", "host:1\nx:2"],
    "id": ["", "  ", "a b", "ä", "x" * 201],
    "store": ["", "memory", "redis://", "memory://x", "rocksdb:///var", "redis:///0", "redis://h/x",
              "redis://h:x/0", "redis://h:70000", "redis://h/0?db=1", "redis://h#1", "http://h:1"],
    "datadir": ["", " ", "~nobody-of-this-name/data"],
    "web_port": ["", "0", "65536", "-1", "6066.0", "http", "²", "+-5"],
    "web_bind": ["", " ", "a b", "http://a", "a:6066", "127.0.0.1:6066", "[::1]:6066", "::1]", "[::1", ":::",
                 "[127.0.0.1]"],
    "web_host": ["a b", "http://a", "a:6066", "[::1]:6066", "fe80::1%eth0", "0.0.0.0", "::", "me@host"],
    "web_token": ["short", "sixteen letters with spaces", "sixteen-and-ümlauts"],
    "topic_prefix": ["a b", "a/", "ä", "x" * 201, "a\n"],
    "joined_topic": ["a b", "a/b"],
    "processing_guarantee": ["", "exactly_once_v2", "AT_LEAST_ONCE"],
    "profile_ttl": ["", "-1", "nan", "inf", "5m", "1e308"],
    "join": ["", "outer"],
    "pipelines": ["", ",", "user_clicks", "clicks,risks"],
    "rekey": ["clicks", "user_clicks user_profiles", "shop.user_clicks", "yes"],
    "format": ["", "raw", "JSON", "xml"],
    "click_format": ["", "raw"],
    "profile_format": ["", "raw"],
    "joined_format": ["", "raw"],
    "key_format": ["", "text"],
    "click_type": ["Click", "shop:", ":Click", "shop.py:Click-", "shop/models:Click", "shop:a.b"],
    "profile_type": ["Profile", "1shop:Profile"],
    "risk_model": [""],
    "risk_rules": ["  "],
    "risk_budget": ["0", "-1", "5ms", "inf"],
    "risk_review": ["", "1.1", "-0.1", "nan"],
    "risk_decline": ["2", "90%"],
    "risk_grace": ["-1", "10s"],
    "risk_steps": ["", "1", "three"],
    "sensors_engine": ["", "cuda", "Numba"],
    "sensors_deviation": ["-1", "", "nan", "inf"],
    "sensors_outlier": ["-0.1", "8 sigma"],
    "sensors_jump": ["-1", "nan"],
    "sensors_stuck": ["-1", "5s"],
    "sensors_season": ["-1", "x"],
    "sensors_silence": ["-1", "nan"],
    "sensors_idle": ["0", "-1"],
    "sensors_memory": ["1", "1.5", ""],
    "sensors_resolution": ["0", "-1", "1e-13"],
    "sensors_period": ["-1", "1m"],
    "sensors_bins": ["1", "10001"],
    "sensors_forget": ["0", "7d"],
    "sensors_grace": ["0", "-1"],
    "partitions": ["0", "ten", "10001", "1.5"],
    "replication": ["0", "101"],
    "create": ["", "yes", "all"],
    "alarm_share": ["0", "1.1", "-0.5", "half", "nan"],
    "retention": ["", "0", "-2", "a week", "1e300"],
    "standbys": ["-1", "11", "x"],
    "cache": ["0", "256MB"],
    "session_timeout": ["5.9", "x", "1e9"],
    "security_protocol": ["", "TLS", "ssl"],
    "buffer": ["0", "-1", "4MB"],
    "fetch_min_bytes": ["0", "64KB"],
    "batch_records": ["0", "all"],
    "linger": ["-1", "0.5", "1001"],
    "compression": ["", "gzip", "LZ4"],
    "commit_interval": ["0", "-1", "1s"],
    "max_idle": ["-2", "x", "inf"],
    "max_ahead": ["-2", "x", "1h", "1e300"],
    "keep_expired": ["-1", "x", "inf", "1e18"],
    "on_failure": ["", "skip"],
    "on_lost": ["", "skip"],
    "sasl_mechanism": ["", "GSSAPI"],
    "traces": ["collector:4318", "ftp://h", "http://", "http://h:x", "http://h:4318/v1/traces"],
    "registry_url": ["registry:8081", "ftp://h", "http://", "http://me:secret@h", "http://h?x=1", "http://h:x"],
    "registry_subjects": ["", "TopicNameStrategy"],
    "registry_ids": ["", "body"],
    "bare": ["user_orders", "user_clicks,x"],
    "registry_schemas": ["", "auto"],
    "registry_cafile": ["/no/such/file"],
    "registry_certfile": ["/no/such/file"],
    "registry_keyfile": ["/no/such/file"],
    "ssl_cafile": ["/no/such/file"],
    "ssl_certfile": ["/no/such/file"],
    "ssl_keyfile": ["/no/such/file"],
}  # fmt: skip

SASL = {"security_protocol": "SASL_SSL", "sasl_username": "me", "sasl_password": "hunter2"}

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUco+BOq+q/3QyutISYExpOpdqO2cwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjEwNDU5NTZaGA8yMTI2MTAyODA0NTk1
NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEJb
iznLTock9H4MMyRmBdM/Q66XiVTSGGcB7QyiT650BCAFGRgv9PUr7hiIaCSI6Ml5
ueEK4Q+I7B3k17dSAZijUzBRMB0GA1UdDgQWBBTYKqaT0vIPDuaJ+h/cTPot4Q01
hDAfBgNVHSMEGDAWgBTYKqaT0vIPDuaJ+h/cTPot4Q01hDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQDzAVsCliBIUNQfEDXmD8jjf9KzhZj34KeM
TTEhQzVTCwIgFeZs3AD5wxvVhGdVRMUSZVNyUk+2wYDXlhh8HK3A+EA=
-----END CERTIFICATE-----
"""

FREE_TEXT = {
    *(
        "click_schema",
        "profile_schema",
        "key_schema",
        "instance_id",
        "sasl_username",
        "sasl_password",
        "store_password",
    ),
    *("registry_username", "registry_password", "registry_token", "registry_cluster"),
}


def settings(**values: str) -> AppSettings:
    return AppSettings.from_environment({PREFIX + name.upper(): value for name, value in values.items()})


def test_without_variables_all_settings_have_their_defaults() -> None:
    assert settings() == AppSettings()


def test_variables_of_others_are_not_looked_at() -> None:
    assert Settings.from_environment({"BROKER": "x", "STREAM": "y"}) == Settings()


def test_a_name_that_is_no_setting_is_refused_and_the_settings_are_listed() -> None:
    with pytest.raises(SettingsError, match=r"STREAMAPP_BROKERS is not a setting.*\bBROKER\b"):
        settings(brokers="127.0.0.1:9092")


@pytest.mark.parametrize("name", ["user_clicks", "user_profiles", "unmatched_clicks", "dead_letters"])
def test_results_have_a_topic_of_their_own(name: str) -> None:
    with pytest.raises(
        SettingsError, match=f"STREAMAPP_JOINED_TOPIC=shop.{name}: the results need a topic of their own"
    ):
        settings(topic_prefix="shop.", joined_topic=f"shop.{name}")


def test_what_is_declined_is_not_below_what_is_reviewed() -> None:
    with pytest.raises(SettingsError, match=r"STREAMAPP_RISK_REVIEW=0.9: it must not be above STREAMAPP_RISK_DECLINE"):
        settings(risk_review="0.9", risk_decline="0.5")


def test_every_setting_is_tested_for_bad_values_or_takes_any_text() -> None:
    names = {field.name for field in dataclasses.fields(AppSettings)}

    assert names == BAD_VALUES.keys() | FREE_TEXT


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD_VALUES for value in BAD_VALUES[name]])
def test_a_bad_value_is_one_line_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(**{name: value})

    message = str(raised.value)
    assert message.startswith(PREFIX + name.upper())
    assert "\n" not in message
    assert "invalid literal" not in message


@pytest.mark.parametrize("field", dataclasses.fields(AppSettings), ids=lambda field: field.name)
def test_every_setting_has_a_help_text(field: dataclasses.Field[object]) -> None:
    assert field.metadata["help"]


@pytest.mark.parametrize(
    ("value", "broker"),
    [
        ("localhost:9092", "localhost:9092"),
        ("kafka://localhost:9092", "localhost:9092"),
        (" a:1 , b.example.com:2 ", "a:1,b.example.com:2"),
        ("[::1]:9092", "[::1]:9092"),
    ],
)
def test_the_broker_can_be_written_in_several_ways(value: str, broker: str) -> None:
    assert settings(broker=value).broker == broker


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "127.0.0.1"),
        ({"web_bind": "::1"}, "[::1]"),
        ({"web_bind": "[::1]"}, "[::1]"),
        ({"web_bind": "0:0:0:0:0:0:0:1"}, "[::1]"),
        ({"web_bind": "::"}, socket.gethostname()),
        ({"web_bind": "0.0.0.0"}, socket.gethostname()),
        ({"web_bind": "fe80::1%eth0"}, socket.gethostname()),
        ({"web_bind": "::", "web_host": "2001:DB8::7"}, "[2001:db8::7]"),
        ({"web_bind": "::", "web_host": "worker-1.example.org"}, "worker-1.example.org"),
        ({"web_host": "  "}, "127.0.0.1"),
    ],
)
def test_the_web_views_are_reached_by_an_address_as_it_stands_in_a_url(given: dict[str, str], name: str) -> None:
    assert settings(**given).web_name == name


def test_the_address_to_listen_on_has_no_brackets() -> None:
    assert settings(web_bind="[::1]").web_bind == "::1"
    assert settings(web_bind="fe80::1%eth0").web_bind == "fe80::1%eth0"


def test_the_home_directory_is_expanded() -> None:
    assert settings(datadir="~/data").datadir == Path.home() / "data"


def test_the_passwords_are_not_shown() -> None:
    shown = repr(settings(**SASL, store="redis://me@host:1/0", store_password="hunter2", web_token="hunter2" * 3))
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store", "redis://me:hunter2@host:6379/0"),
        ("store", "redis://:hunter2@host:6379/x"),
        ("store", "http://me:hunter2@host"),
        ("broker", "kafka://me:hunter2@host:9092"),
    ],
)
def test_a_password_in_a_url_is_refused_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(**{name: value})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("missing", ["sasl_username", "sasl_password"])
def test_sasl_needs_a_user_name_and_a_password(missing: str) -> None:
    with pytest.raises(SettingsError, match="STREAMAPP_SASL_USERNAME and STREAMAPP_SASL_PASSWORD") as raised:
        settings(**SASL | {missing: ""})

    assert "hunter2" not in str(raised.value)


def test_librdkafka_gets_only_the_address_of_a_plain_broker() -> None:
    assert librdkafka(settings(broker="a:1")) == {
        "bootstrap.servers": "a:1",
        "security.protocol": "PLAINTEXT",
        "log_level": 0,
    }


def test_librdkafka_gets_credentials_and_files(tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.write_text(CERTIFICATE)
    config = librdkafka(settings(**SASL, sasl_mechanism="SCRAM-SHA-512", ssl_cafile=str(authorities)))

    assert config == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_SSL",
        "log_level": 0,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "hunter2",
        "ssl.ca.location": str(authorities),
    }


def test_a_certificate_that_cannot_be_read_names_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "not-a.pem"
    file.write_text("nonsense")

    with pytest.raises(SettingsError, match="STREAMAPP_SSL_CAFILE"):
        settings(security_protocol="SSL", ssl_cafile=str(file))


def test_tables_in_redis_have_no_standbys() -> None:
    with pytest.raises(SettingsError, match="STREAMAPP_STANDBYS=1: tables in Redis need none"):
        settings(store="redis://host:1/0", standbys="1")


@pytest.mark.parametrize(("pipelines", "named"), [("risk", "risk"), ("clicks,risk,sensors", "risk and sensors")])
@pytest.mark.parametrize("format_", ["avro", "protobuf", "msgpack"])
def test_a_format_for_all_values_is_refused_where_a_pipeline_runs_that_reads_json_only(
    pipelines: str, named: str, format_: str
) -> None:
    text = rf"^STREAMAPP_FORMAT={format_}: {named} \(STREAMAPP_PIPELINES\) can only read and write json; unset it"
    with pytest.raises(SettingsError, match=text) as error:
        settings(pipelines=pipelines, format=format_)
    assert "\n" not in str(error.value)


def test_clicks_may_be_in_a_format_beside_other_pipelines() -> None:
    found = settings(pipelines="clicks,risk", format="json", click_format="avro", joined_format="avro")
    assert (found.click_format, found.joined_format) == (FormatName.AVRO, FormatName.AVRO)
    assert settings(format="avro").format is FormatName.AVRO


def test_a_topic_of_the_app_is_meant_rather_than_another_one_of_the_same_name() -> None:
    ours = settings(topic_prefix="shop.")
    assert ours.known_topic("orders", ["orders", "shop.orders"]) == "shop.orders"
    assert ours.known_topic("shop.orders", ["orders", "shop.orders"]) == "shop.orders"
    assert ours.known_topic("orders", ["orders"]) == "orders"
    assert ours.known_topic("payments", ["orders"]) is None


def test_topics_have_the_prefix() -> None:
    assert settings(topic_prefix="test-").topic(CLICKS) == "test-user_clicks"


def test_the_joined_topic_can_have_a_name_of_its_own() -> None:
    assert settings(topic_prefix="test-").topic(JOINED) == "test-joined_data"
    assert settings(topic_prefix="test-", joined_topic="results").topic(JOINED) == "results"


def test_the_member_id_is_that_of_the_host_and_the_port() -> None:
    assert settings().member_id(6066) == settings().member_id(6066)
    assert settings().member_id(6066) != settings().member_id(6067)


def test_the_member_id_can_be_set() -> None:
    assert settings(instance_id="one").member_id(6066) == "one"
