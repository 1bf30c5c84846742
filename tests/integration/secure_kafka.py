"""A Kafka with listeners that ask for a password, a certificate or both; the plain one is for the test itself."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from cryptography.hazmat.primitives import serialization
from kafkas import running_kafka
from ports import free_port

__all__ = ["PASSWORD", "USER", "SecureKafka", "secure_kafka"]

USER, PASSWORD = "alice", "hunter2-of-alice"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclasses.dataclass(frozen=True)
class SecureKafka:
    """Where the listeners are, by their security protocol, and the files that clients need."""

    plain: str
    listeners: dict[str, str]
    authority: Path
    certificate: Path
    key: Path

    def settings(self, protocol: str, mechanism: str = "") -> dict[str, Any]:
        """Give the settings by which a client uses a listener."""
        settings: dict[str, Any] = {"broker": self.listeners[protocol], "security_protocol": protocol}
        if protocol.startswith("SASL"):
            settings |= {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password": PASSWORD}
        if protocol.endswith("SSL"):
            settings["ssl_cafile"] = self.authority
        if protocol == "SSL":
            settings |= {"ssl_certfile": self.certificate, "ssl_keyfile": self.key}
        return settings


@contextlib.contextmanager
def secure_kafka(directory: Path) -> Iterator[SecureKafka]:
    """Start it with a certificate that was made for it, and a user; at the end it stops."""
    authority = trustme.CA()
    files = {name: directory / f"{name}.pem" for name in ("authority", "server", "certificate", "key")}
    authority.cert_pem.write_to_path(str(files["authority"]))
    files["server"].write_bytes(_for_java(authority.issue_cert("127.0.0.1")))
    client = authority.issue_cert(USER)
    client.cert_chain_pems[0].write_to_path(str(files["certificate"]))
    client.private_key_pem.write_to_path(str(files["key"]))
    listeners = {protocol: f"127.0.0.1:{free_port()}" for protocol in ("SSL", "SASL_PLAINTEXT", "SASL_SSL")}
    with running_kafka(directory / "kafka", _config(listeners, files)) as broker:
        _add_user(broker.bootstrap)
        yield SecureKafka(broker.bootstrap, listeners, files["authority"], files["certificate"], files["key"])


def _for_java(certificate: trustme.LeafCert) -> bytes:
    """Give key and certificate as Kafka reads them: a key in PKCS #8."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem + b"".join(chain.bytes() for chain in certificate.cert_chain_pems)


def _config(listeners: dict[str, str], files: dict[str, Path]) -> dict[str, str]:
    config = {
        "listeners": ",".join(f"{protocol}://{at}" for protocol, at in listeners.items()),
        "listener.security.protocol.map": ",".join(f"{protocol}:{protocol}" for protocol in listeners),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(files["server"]),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(files["authority"]),
        "listener.name.ssl.ssl.client.auth": "required",
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        config |= {
            f"listener.name.{listener}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            f"listener.name.{listener}.plain.sasl.jaas.config": f'{PLAIN} required user_{USER}="{PASSWORD}";',
            f"listener.name.{listener}.scram-sha-256.sasl.jaas.config": f"{SCRAM} required;",
            f"listener.name.{listener}.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
        }
    return config


def _add_user(bootstrap: str) -> None:
    users = [
        UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    # One at a time: the second would take the place of the first in one request.
    for user in users:
        for added in admin.alter_user_scram_credentials([user]).values():
            added.result(30)
