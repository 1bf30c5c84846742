"""``streamapp replay`` of files that have values as they are in topics: each after its length, with its schema's id."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from apicurio import Apicurio
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

SPEC = """
kind = "stream-stream"
before = "10s"
after = 0
grace = "1s"
[left]
key = "user"
timestamp = "at"
[right]
key = "user"
timestamp = "at"
"""
FIELDS = [{"name": "user", "type": "string"}, {"name": "at", "type": "long"}]
SCHEMA = json.dumps({"type": "record", "name": "Click", "fields": FIELDS})
AT = 1_700_000_000_000


def test_values_of_a_registry_are_joined_by_the_schemas_that_they_name(apicurio: Apicurio, tmp_path: Path) -> None:
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
    context = SerializationContext("replayed", MessageField.VALUE)
    data = AvroSerializer(client, SCHEMA)({"user": "u1", "at": AT}, context) or b""
    (tmp_path / "join.toml").write_text(SPEC)
    (tmp_path / "left.pb").write_bytes(bytes([len(data)]) + data)
    (tmp_path / "right.jsonl").write_text(json.dumps({"user": "u1", "at": AT - 1}))
    files = [f"--{name}={tmp_path / file}" for name, file in (("join", "join.toml"), ("left", "left.pb"))]
    line = [sys.executable, "-m", "streamapp", "replay", *files, f"--right={tmp_path / 'right.jsonl'}"]
    variables = {**os.environ, "STREAMAPP_REGISTRY_URL": apicurio.url}
    ran = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    result, *_ = map(json.loads, ran.stdout.splitlines())
    assert result["left"] == {"user": "u1", "at": AT}
