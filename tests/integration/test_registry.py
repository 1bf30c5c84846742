"""A schema registry, asked by id and by subject: a real one."""

from __future__ import annotations

import base64
import itertools
import json
import ssl
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import trustme
from apicurio import Apicurio, Door
from ports import free_port

from streamapp.errors import StreamappError
from streamapp.formats.registry import (
    Registry,
    RegistryAwayError,
    RegistryError,
    Schema,
    SchemaType,
    UnknownSchema,
)
from streamapp.settings import Settings

numbers = itertools.count(int(time.time()))


def registry(url: str, **settings: Any) -> Registry:
    return Registry(Settings(registry_url=url, **settings))


def order(*fields: dict[str, Any]) -> Schema:
    schema = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}, *fields]}
    return Schema(SchemaType.AVRO, json.dumps(schema, separators=(",", ":")))


@pytest.fixture
def subject() -> str:
    return f"asked{next(numbers)}-value"


def test_a_schema_that_one_registers_another_reads_by_its_id(apicurio: Apicurio, subject: str) -> None:
    entry = registry(apicurio.url).register(subject, order())
    assert entry.version == 1
    assert registry(apicurio.url).schema(entry.id) == order()


def test_what_was_fetched_is_not_asked_for_again(apicurio: Apicurio, subject: str) -> None:
    id_ = registry(apicurio.url).register(subject, order()).id
    with Door(apicurio) as door:
        here = registry(door.url)
        for _ in range(3):
            here.schema(id_)
        assert len(door.asked) == 1


@pytest.mark.parametrize("id_", [2_000_000_000, 2**31, 2**32 - 1, uuid.UUID(int=7)])
def test_an_id_that_the_registry_does_not_have_or_cannot_have_is_unknown(
    apicurio: Apicurio, id_: int | uuid.UUID
) -> None:
    with pytest.raises(UnknownSchema, match="does not have it"):
        registry(apicurio.url).schema(id_)


REFUSED = b'{"error_code":%d,"message":"HTTP %d"}'


@pytest.mark.parametrize("status", [400, 404, 405, 410, 422])
def test_an_id_that_is_refused_by_a_registry_that_answers_otherwise_is_unknown(apicurio: Apicurio, status: int) -> None:
    with Door(apicurio) as door:
        door.instead = lambda path: (status, REFUSED % (status, status)) if "/schemas/" in path else None
        with pytest.raises(UnknownSchema):
            registry(door.url).schema(7)


@pytest.mark.parametrize("status", [400, 404, 405, 429, 500, 503])
def test_what_refuses_or_fails_whatever_it_is_asked_says_nothing_of_an_id(apicurio: Apicurio, status: int) -> None:
    with Door(apicurio) as door:
        door.instead = lambda _path: (status, b"no registry")
        with pytest.raises(RegistryAwayError, match=f"answers {status}"):
            registry(door.url).schema(7)


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503])
def test_an_answer_that_is_none_to_an_id_says_nothing_of_it(apicurio: Apicurio, status: int) -> None:
    with Door(apicurio) as door:
        door.instead = lambda path: (status, REFUSED % (status, status)) if "/schemas/" in path else None
        with pytest.raises(RegistryError, match=str(status)):
            registry(door.url).schema(7)


def test_a_schema_of_a_kind_that_is_not_known_is_no_fault_of_the_registry(apicurio: Apicurio) -> None:
    with Door(apicurio) as door:
        door.instead = lambda path: (200, b'{"schemaType":"XML","schema":"<a/>"}') if "/schemas/" in path else None
        with pytest.raises(StreamappError, match="it is of XML, which is not read here") as error:
            registry(door.url).schema(7)
    assert not isinstance(error.value, RegistryError)


def test_a_schema_has_those_that_it_refers_to(apicurio: Apicurio, subject: str) -> None:
    registry(apicurio.url).register(f"money-{subject}", Schema(SchemaType.PROTOBUF, MONEY))
    body = {
        "schemaType": "PROTOBUF",
        "schema": PAID,
        "references": [{"name": "money.proto", "subject": f"money-{subject}", "version": 1}],
    }
    status, answer, _ = apicurio.ask("POST", f"/apis/ccompat/v7/subjects/{subject}/versions", json.dumps(body).encode())
    assert status == 200, answer
    here, id_ = registry(apicurio.url), json.loads(answer)["id"]
    found = here.schema(id_)
    assert (found.type, found.references) == (SchemaType.PROTOBUF, {"money.proto": Schema(SchemaType.PROTOBUF, MONEY)})


def test_what_a_schema_refers_to_is_registered_before_it_under_its_name(apicurio: Apicurio, subject: str) -> None:
    files = [f"{name}-{subject}.proto" for name in ("coin", "money")]
    coin = Schema(SchemaType.PROTOBUF, 'syntax = "proto3";\npackage till;\nmessage Coin { int64 cents = 1; }\n')
    money = f'syntax = "proto3";\npackage till;\nimport "{files[0]}";\nmessage Money {{ Coin coin = 1; }}\n'
    whole = Schema(SchemaType.PROTOBUF, money, {files[0]: coin})
    paid = f'syntax = "proto3";\npackage till;\nimport "{files[1]}";\nmessage Paid {{ Money sum = 1; }}\n'
    given = Schema(SchemaType.PROTOBUF, paid, {files[1]: whole})
    here = registry(apicurio.url)
    with pytest.raises(RegistryError, match=f"^{files[0]} in the schema registry at .* does not have the schema that"):
        here.look_up(subject, given)
    entry = here.register(subject, given)
    assert here.register(subject, given) == here.look_up(subject, given) == entry
    assert registry(apicurio.url).schema(entry.id) == given
    assert registry(apicurio.url).look_up(files[1], whole).version == 1


MONEY = 'syntax = "proto3";\npackage till;\nmessage Money { int64 cents = 1; }\n'
PAID = 'syntax = "proto3";\npackage till;\nimport "money.proto";\nmessage Paid { Money sum = 1; }\n'


def test_a_schema_that_is_registered_is_looked_up_and_one_that_is_not_is_one_line(
    apicurio: Apicurio, subject: str
) -> None:
    entry = registry(apicurio.url).register(subject, order())
    here = registry(apicurio.url)
    assert here.look_up(subject, order()) == entry
    with pytest.raises(RegistryError, match=f"^{subject} in the schema registry at .* does not have the schema that"):
        here.look_up(subject, order({"name": "sum", "type": "long", "default": 0}))


def test_an_incompatible_schema_is_one_line_with_the_subject_and_what_the_registry_says(
    apicurio: Apicurio, subject: str
) -> None:
    here = registry(apicurio.url)
    here.register(subject, order())
    apicurio.ask("PUT", f"/apis/ccompat/v7/config/{subject}", b'{"compatibility":"BACKWARD"}')
    with pytest.raises(RegistryError) as error:
        here.register(subject, order({"name": "sum", "type": "long"}))
    text = str(error.value)
    assert text.startswith(f"{subject}: the schema registry at {apicurio.url} (STREAMAPP_REGISTRY_URL) does not take")
    assert "\n" not in text
    assert "not compatible with an earlier one of the subject" in text
    assert "/fields/1" in text  # the field sum
    assert "a field that is added needs a default" in text
    assert text.endswith(f"(PUT …/config/{subject})")


#: What Confluent's registry 7.9 answers.
INCOMPATIBLE = """\
Schema being registered is incompatible with an earlier schema for subject "x", details: [{errorType:\
'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'sum' at path '/fields/1' in the new schema has no \
default value and is missing in the old schema', additionalInfo:'sum'}, {oldSchemaVersion: 1}, {oldSchema: '{"type":\
"record","name":"Order","fields":[]}'}, {validateFields: 'false', compatibility: 'BACKWARD'}]"""


def test_of_an_incompatible_schema_the_differences_are_told_and_not_the_schemas(
    apicurio: Apicurio, subject: str
) -> None:
    with Door(apicurio) as door:
        door.instead = lambda _path: (409, json.dumps({"error_code": 409, "message": INCOMPATIBLE}).encode())
        with pytest.raises(RegistryError) as error:
            registry(door.url).register(subject, order())
    text = str(error.value)
    assert "subject: The field 'sum' at path '/fields/1' in the new schema has no default value" in text
    assert "oldSchema" not in text


def test_what_is_no_schema_is_refused_in_one_line(apicurio: Apicurio, subject: str) -> None:
    with pytest.raises(RegistryError, match=f"{subject}: .* does not take the schema: "):
        registry(apicurio.url).register(subject, Schema(SchemaType.AVRO, '{"type":"rekord"}'))


BASIC = "Basic " + base64.b64encode(b"alice:hunter2").decode()


@pytest.mark.parametrize(
    ("credentials", "right", "wrong"),
    [
        (BASIC, {"registry_username": "alice", "registry_password": "hunter2"}, {"registry_username": "alice"}),
        ("Bearer t0ken", {"registry_token": "t0ken"}, {"registry_token": "other"}),
    ],
    ids=["basic", "bearer"],
)
def test_credentials_are_shown_and_wrong_ones_told(
    apicurio: Apicurio, credentials: str, right: dict[str, str], wrong: dict[str, str]
) -> None:
    with Door(apicurio, credentials=credentials) as door:
        registry(door.url, **right).ask()
        with pytest.raises(RegistryError, match="refuses us \\(401\\): see STREAMAPP_REGISTRY_USERNAME"):
            registry(door.url, **wrong).ask()


def test_a_certificate_of_an_authority_that_is_set_is_trusted_and_no_other(apicurio: Apicurio, tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with Door(apicurio, tls=tls) as door:
        registry(door.url, registry_cafile=str(tmp_path / "authority.pem")).ask()
        with pytest.raises(RegistryAwayError, match=r"does not answer: .*CERTIFICATE_VERIFY_FAILED"):
            registry(door.url).ask()


def test_a_registry_that_is_away_is_told_apart_from_an_unknown_schema(apicurio: Apicurio, subject: str) -> None:
    id_, port = registry(apicurio.url).register(subject, order()).id, free_port()
    here = registry(f"http://127.0.0.1:{port}/apis/ccompat/v7")
    with pytest.raises(RegistryAwayError, match=f"http://127.0.0.1:{port}/.* does not answer: "):
        here.schema(id_)
    with Door(apicurio, port=port):
        assert here.schema(id_) == order()


@pytest.mark.parametrize("path", ["/apis/registry/v3", "/nothing"])
def test_a_wrong_path_is_no_unknown_schema(apicurio: Apicurio, path: str) -> None:
    with pytest.raises(RegistryAwayError, match=r"answers 404|does not answer"):
        registry(apicurio.url.replace("/apis/ccompat/v7", path)).schema(1)
