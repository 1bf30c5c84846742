"""Apache Kafka's jars: there once and for all, or one line that says why not."""

from __future__ import annotations

import http.server
import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from ports import free_port

from streamapp.embedded_kafka.failure import BrokerError
from streamapp.embedded_kafka.jars import JarCache, check_jar


@pytest.fixture
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches with nothing in them, and a repository in the place of Maven Central at a port that is closed."""
    return use_repository(free_port(), tmp_path, monkeypatch)


def use_repository(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str = "http") -> Path:
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\ncentral = {scheme}://127.0.0.1:{port}/maven2\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("JGO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "maven"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


@contextmanager
def serving(server: http.server.HTTPServer) -> Iterator[None]:
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def empty_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A repository that answers, and has nothing."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    use_repository(server.server_port, tmp_path, monkeypatch)
    with serving(server):
        yield


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """Who signed the certificate of an empty repository, as the proxies of companies have their own."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    use_repository(server.server_port, tmp_path, monkeypatch, "https")
    for setting in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(setting, raising=False)
    with serving(server):
        yield authority


def test_without_a_repository_and_with_empty_caches_the_line_names_both(empty_caches: Path) -> None:
    jars = JarCache()
    with pytest.raises(BrokerError) as failure:
        jars.fetch(threading.Event())
    said = str(failure.value)
    assert said.startswith("cannot download Apache Kafka 4.3.1 from http://127.0.0.1:")
    assert f"{jars.directory} is not there: ConnectionError" in said
    assert "\n" not in said


def test_a_repository_without_kafka_is_one_line(empty_repository: None) -> None:
    with pytest.raises(BrokerError, match=r"^cannot download Apache Kafka 4\.3\.1 .* not found in remote repositor"):
        JarCache().fetch(threading.Event())


def test_a_repository_that_the_system_trusts_is_asked(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    with pytest.raises(BrokerError, match=r"not found in remote repositor"):
        JarCache().fetch(threading.Event())


def test_a_repository_that_the_system_does_not_trust_is_one_line(authority: trustme.CA) -> None:
    with pytest.raises(BrokerError, match=r"^cannot download Apache Kafka 4\.3\.1 from https://.*: SSLError$"):
        JarCache().fetch(threading.Event())


def test_what_a_failed_download_left_is_not_taken_for_the_jars(empty_caches: Path) -> None:
    for _ in range(2):
        with pytest.raises(BrokerError):
            JarCache().fetch(threading.Event())


def test_jars_that_are_there_need_no_repository(empty_caches: Path) -> None:
    jars = JarCache()
    jars.directory.mkdir(parents=True)
    assert jars.fetch(threading.Event()) == jars.directory
    assert jars.directory.is_relative_to(empty_caches)


def test_a_cache_that_cannot_be_written_is_one_line(empty_caches: Path) -> None:
    empty_caches.write_text("a file where the directory should be")
    with pytest.raises(BrokerError, match=r"^cannot save Apache Kafka in "):
        JarCache().fetch(threading.Event())


def test_a_truncated_jar_is_refused(tmp_path: Path) -> None:
    jar = tmp_path / "kafka.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("Kafka.class", bytes(10_000))
    check_jar(jar)
    jar.write_bytes(jar.read_bytes()[:5_000])
    with pytest.raises(BrokerError, match=f"^{jar} is damaged"):
        check_jar(jar)


def test_a_jar_with_a_wrong_byte_is_refused(tmp_path: Path) -> None:
    jar = tmp_path / "kafka.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("Kafka.class", bytes(10_000))
    content = bytearray(jar.read_bytes())
    content[5_000] ^= 1
    jar.write_bytes(content)
    with pytest.raises(BrokerError, match=f"^{jar} is damaged .Kafka.class"):
        check_jar(jar)
