"""What is said when Kafka ends: the outputs are what Kafka 4.3.1 and its JVM wrote, shortened."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamapp.embedded_kafka.failure import BrokerError, PortInUseError, explain

LOG = Path("/data/kafka.log")

PORT_TAKEN = """\
2026-11-21 04:58:59,470 WARN Performing controller activation. (org.apache.kafka.controller.QuorumController)
2026-11-21 04:59:00,486 ERROR Unable to start acceptor for PLAINTEXT (kafka.network.DataPlaneAcceptor)
org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:21998: Address already in use.
\tat kafka.network.Acceptor.openServerSocket(SocketServer.scala:615)
"""
DISK_FULL = """\
2026-11-21 04:59:28,713 ERROR Error while writing to checkpoint file /data/x (org.apache.kafka.LogDirFailureChannel)
java.io.IOException: No space left on device
\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)
"""
DISK_FULL_WHEN_FORMATTING = """\
Formatting metadata directory /data/data with metadata.version 4.3-IV0.
Error while writing meta.properties file /data/data: java.io.IOException: No space left on device
"""
BAD_PROPERTY = """\
2026-11-21 04:59:05,654 ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)
org.apache.kafka.common.config.ConfigException: Invalid value abc for configuration num.partitions: Not a number
\tat org.apache.kafka.common.config.ConfigDef.parseType(ConfigDef.java:787)
"""
NO_EXCEPTION = """\
2026-11-21 04:59:03,582 WARN Corruption found in segment 0 (org.apache.kafka.storage.internals.log.LogLoader)
2026-11-21 04:59:04,000 ERROR Shutdown broker because all log dirs in /data have failed (kafka.log.LogManager)
"""
NO_JVM = """\
NOTE: Picked up JDK_JAVA_OPTIONS: -Dz
[0.087s][warning][aot,codecache,stubs] Saved blob's name 'LLIILLLL' is different from the expected name 'LLIILLL'
Picked up JAVA_TOOL_OPTIONS: -Dx=y
Invalid maximum heap size: -Xmx5xyz
Error: Could not create the Java Virtual Machine.
"""
CANNOT_FORMAT = """\
Bootstrap metadata: BootstrapMetadata(records=[])
Formatting metadata directory /data/data with metadata.version 4.3-IV0.
Error while writing meta.properties file /data/data: java.io.IOException: Permission denied
"""
NOTHING = ""


def said(output: str, status: int = 1, free: int = 1 << 30) -> BrokerError:
    return explain(output, status, log=LOG, free=free)


def test_a_taken_port_is_named() -> None:
    error = said(PORT_TAKEN)
    assert isinstance(error, PortInUseError)
    assert error.port == 21998
    assert "port 21998 is in use" in str(error)


@pytest.mark.parametrize("output", [DISK_FULL, DISK_FULL_WHEN_FORMATTING])
def test_a_full_disk_is_named(output: str) -> None:
    assert str(said(output)) == "Kafka ended: the disk of /data is full"


def test_a_disk_too_full_for_the_log_is_named() -> None:
    assert str(said(NOTHING, free=4096)) == "Kafka ended: the disk of /data is full"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (BAD_PROPERTY, "Invalid value abc for configuration num.partitions: Not a number"),
        (NO_EXCEPTION, "Shutdown broker because all log dirs in /data have failed"),
        (
            CANNOT_FORMAT,
            "Error while writing meta.properties file /data/data: java.io.IOException: Permission denied",
        ),
        (NO_JVM, "Invalid maximum heap size: -Xmx5xyz"),
        ("cannot run /jre/bin/java: Permission denied\n", "cannot run /jre/bin/java: Permission denied"),
    ],
)
def test_the_first_error_is_the_reason(output: str, reason: str) -> None:
    assert str(said(output)) == f"Kafka ended: {reason}; its log: /data/kafka.log"


def test_a_kill_without_a_word_is_named_by_its_signal() -> None:
    assert "killed by signal 9" in str(said(NOTHING, status=137))


def test_an_end_without_a_word_is_named_by_its_status() -> None:
    assert "exit status 3" in str(said(NOTHING, status=3))
