"""Apache Kafka itself: its jars from Maven Central, once."""

from __future__ import annotations

import shutil
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import truststore
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext, PythonResolver
from tqdm import tqdm

from streamapp.embedded_kafka.directory import LOCK_RETRY_S, try_lock
from streamapp.embedded_kafka.failure import BrokerError
from streamapp.embedded_kafka.properties import VERSION

__all__ = ["JarCache", "check_jar"]

COORDINATES: Final = (
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    # Kafka's own dependencies have log4j but nothing that hands slf4j's messages to it, so nothing would be
    # logged. "!": take only the jar; without it log4j's POM decides about other versions, Kafka's too.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)
#: About what jars and POMs come to, for the progress bar.
DOWNLOADED_BYTES: Final = 47_000_000
DOWNLOADS_AT_ONCE: Final = 4


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
        """Return the directory of the jars; download them first if need be. Blocks.

        Args:
            cancelled: set by another thread to give up; then an exception that is of no interest is raised.

        Raises:
            BrokerError: if they are not there and cannot be downloaded.
        """
        if self.directory.is_dir():
            return self.directory
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with self.directory.with_name(f"{self.directory.name}.lock").open("w") as lock:
                while not try_lock(lock.fileno()):
                    if cancelled.wait(LOCK_RETRY_S):
                        raise _CancelledError
                if not self.directory.is_dir():
                    self._download(cancelled)
        except (OSError, RuntimeError) as exc:
            # Those of requests are OSErrors too, but have no error number.
            if isinstance(exc, OSError) and exc.errno is not None:
                raise BrokerError(f"cannot save Apache Kafka in {self.directory.parent}: {exc.strerror}") from exc
            why = type(exc).__name__ if isinstance(exc, OSError) else exc
            places = ", ".join(self._repositories.values())
            raise BrokerError(
                f"cannot download Apache Kafka {VERSION} from {places}, and {self.directory} is not there: {why}"
            ) from exc
        return self.directory

    def _download(self, cancelled: threading.Event) -> None:
        scratch = self.directory.with_name(f"{self.directory.name}.partial")
        shutil.rmtree(scratch, ignore_errors=True)
        jars = scratch / "jars"
        jars.mkdir(parents=True)
        title = f"Apache Kafka {VERSION}"
        bar: tqdm[NoReturn] = tqdm(
            desc=title, total=DOWNLOADED_BYTES, unit="B", unit_scale=True, disable=None, file=sys.stderr
        )
        if bar.disable:
            print(f"downloading {title}, {DOWNLOADED_BYTES // 1_000_000} MB", file=sys.stderr)
        lock = threading.Lock()

        @contextmanager
        def progress(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
            yield advance

        def advance(count: int) -> None:
            if cancelled.is_set():
                raise _CancelledError
            with lock:
                bar.update(count)

        with bar, _system_certificates(), ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as threads:
            context = MavenContext(
                resolver=PythonResolver(progress_callback=progress),
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
    inputs, transitive = context.resolver.resolve([context.create_dependency(each) for each in COORDINATES])
    needed = [dependency for dependency in transitive if dependency.scope in {"compile", "runtime"}]
    return [dependency.artifact for dependency in [*inputs, *needed]]


def check_jar(jar: Path) -> None:
    """Read a jar through, checksums and all: jgo only warns of a damaged one; a BrokerError if it is damaged."""
    try:
        with zipfile.ZipFile(jar) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as exc:
        damaged = str(exc)
    if damaged:
        raise BrokerError(f"{jar} is damaged ({damaged}): delete it and start again")
