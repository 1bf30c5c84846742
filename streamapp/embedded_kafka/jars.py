"""Apache Kafka itself: its jars from Maven Central, once."""

from __future__ import annotations

import fcntl
import shutil
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NoReturn

import truststore
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext, PythonResolver
from tqdm import tqdm

from streamapp.embedded_kafka.failure import BrokerError
from streamapp.embedded_kafka.version import VERSION

__all__ = ["JarCache", "check_jar"]

_COORDINATES: Final = (
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    # Kafka's own dependencies have log4j but nothing that hands slf4j's messages to it, so nothing would be
    # logged. "!": take only the jar; without it log4j's POM decides about other versions, Kafka's too.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)
_BYTES: Final = 47_000_000
"""About what jars and POMs come to, for the progress bar."""

_DOWNLOADS: Final = 4
_RETRY: Final = 0.2
"""Seconds between two looks at whether another process is done with the download."""


class _CancelledError(Exception):
    """Whoever wanted the jars has gone."""


class JarCache:
    """The jars in a directory that is there completely, or not at all.

    jgo itself would leave half a file behind when it is interrupted, and take it for the whole from then
    on. So it works in a directory beside, which gets its name when all is there and checked.

    Where: below jgo's cache directory (``~/.cache/jgo``). From where: Maven Central, or what jgo's
    configuration file (``~/.config/jgo.conf``, section ``repositories``) puts in the place of ``central``
    or beside it. Jars that Maven has already downloaded are copied.
    """

    def __init__(self) -> None:
        settings = GlobalSettings.load()
        self.directory: Path = settings.cache_dir / "streamapp" / f"kafka-{VERSION}"
        self._maven: Path = settings.repo_cache
        self._repositories: dict[str, str] = {"central": MAVEN_CENTRAL_URL} | settings.repositories

    def fetch(self, cancelled: threading.Event) -> Path:
        """Give the directory of the jars; download them first if need be. Blocks.

        Args:
            cancelled: set by another thread to give up; then an exception that is of no interest is raised.

        Raises:
            BrokerError: if they are not there and cannot be downloaded.
        """
        if self.directory.is_dir():
            return self.directory
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with self._alone(cancelled):
                if not self.directory.is_dir():
                    self._download(cancelled)
        except OSError as exc:
            # Those of requests are OSErrors too, but have no error number.
            if exc.errno is None:
                raise BrokerError(self._unreachable(type(exc).__name__)) from exc
            raise BrokerError(f"cannot save Apache Kafka in {self.directory.parent}: {exc.strerror}") from exc
        except RuntimeError as exc:
            raise BrokerError(self._unreachable(str(exc))) from exc
        return self.directory

    def _unreachable(self, why: str) -> str:
        places = ", ".join(self._repositories.values())
        return f"cannot download Apache Kafka {VERSION} from {places}, and {self.directory} is not there: {why}"

    def _beside(self, suffix: str) -> Path:
        return self.directory.with_name(self.directory.name + suffix)

    @contextmanager
    def _alone(self, cancelled: threading.Event) -> Iterator[None]:
        with self._beside(".lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if cancelled.wait(_RETRY):
                        raise _CancelledError from None
            yield

    def _download(self, cancelled: threading.Event) -> None:
        scratch = self._beside(".partial")
        shutil.rmtree(scratch, ignore_errors=True)
        jars = scratch / "jars"
        jars.mkdir(parents=True)
        bar: tqdm[NoReturn] = tqdm(
            desc=f"Apache Kafka {VERSION}", total=_BYTES, unit="B", unit_scale=True, disable=None, file=sys.stderr
        )
        if bar.disable:
            print(f"downloading Apache Kafka {VERSION}, {_BYTES // 1_000_000} MB", file=sys.stderr)
        with bar, _system_certificates(), ThreadPoolExecutor(_DOWNLOADS) as threads:
            context = MavenContext(
                resolver=PythonResolver(progress_callback=_progress(bar, cancelled)),
                repo_cache=scratch / "repository",
                local_repos=[self._maven],
                remote_repos=self._repositories,
            )
            for jar in threads.map(Artifact.resolve, _artifacts(context)):
                check_jar(jar)
                shutil.copyfile(jar, jars / jar.name)
        jars.rename(self.directory)
        shutil.rmtree(scratch)


@contextmanager
def _system_certificates() -> Iterator[None]:
    """Trust whom the system trusts, as pip does: behind a company's proxy requests' own list is not enough."""
    truststore.inject_into_ssl()
    try:
        yield
    finally:
        truststore.extract_from_ssl()


def _artifacts(context: MavenContext) -> list[Artifact]:
    wanted = [context.create_dependency(coordinate) for coordinate in _COORDINATES]
    inputs, transitive = context.resolver.resolve(wanted)
    needed = [dependency for dependency in transitive if dependency.scope in {"compile", "runtime"}]
    return [dependency.artifact for dependency in [*inputs, *needed]]


def _progress(
    bar: tqdm[NoReturn], cancelled: threading.Event
) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    one_at_a_time = threading.Lock()

    def advance(count: int) -> None:
        if cancelled.is_set():
            raise _CancelledError
        with one_at_a_time:
            bar.update(count)

    @contextmanager
    def download(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    return download


def check_jar(jar: Path) -> None:
    """Read a jar through, checksums and all: jgo only warns of a damaged one.

    Raises:
        BrokerError: if it is damaged.
    """
    try:
        with zipfile.ZipFile(jar) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as exc:
        damaged = str(exc)
    if damaged:
        raise BrokerError(f"{jar} is damaged ({damaged}): delete it and start again")
