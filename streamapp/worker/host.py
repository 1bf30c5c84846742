"""What a worker needs of its host: a directory for its tables, an address for its views, the client of its store."""

from __future__ import annotations

import errno
import socket
import tempfile
from pathlib import Path
from typing import Final

from streamapp.extras import Extra, require
from streamapp.loopback import is_loopback
from streamapp.settings import PREFIX, REDIS, ROCKSDB, SettingsError
from streamapp.worker.start import Start

__all__ = ["check_data", "check_directory", "check_port", "check_store", "check_views"]

#: What is to be done about an error, by its number.
ADVICE: Final = {
    errno.EADDRINUSE: "is taken: another worker, or another program, listens there; set another {prefix}WEB_PORT",
    errno.EADDRNOTAVAIL: "cannot be listened on, since this host has no such address: set another {prefix}WEB_BIND",
    errno.EACCES: "cannot be listened on by this user: set a {prefix}WEB_PORT from 1024 on",
}
#: Bytes with which a store can do nothing, not even begin its log.
LITTLE: Final = 1 << 20


def check_data(start: Start) -> None:
    """Check that the engine of the tables is installed, and that files can be written where they are to be."""
    conf, store = start.app.conf, start.app.settings.store
    if store.startswith(REDIS):
        require(Extra.REDIS)
    check_directory(conf.datadir, conf.tabledir, written=store == ROCKSDB)


def check_directory(path: Path, below: Path, *, written: bool) -> None:
    """Make the directory `below` the `path` that was set, and see that files can be written there, if any will be.

    Raises:
        SettingsError: if they cannot.
    """
    try:
        below.mkdir(parents=True, exist_ok=True)
        if written:
            with tempfile.TemporaryFile(dir=below) as file:
                file.write(bytes(LITTLE))
                file.flush()
    except OSError as exc:
        where = f" ({exc.filename})" if exc.filename and Path(str(exc.filename)).parent != below else ""
        raise SettingsError(f"{PREFIX}DATADIR={path} cannot be written{where}: {exc.strerror}") from None


def check_views(start: Start) -> None:
    """Check that the web views can listen where they are to, and are not shown to other machines without a token.

    Raises:
        SettingsError: if they cannot, or would be.
    """
    conf = start.app.conf  # not the settings: Faust's command line may have changed the address
    if not (conf.web_enabled and conf.web_transport.scheme == "tcp"):
        return
    if not start.app.settings.web_token and not is_loopback(conf.web_bind):
        raise SettingsError(
            f"the web views at {conf.web_bind} could be seen from other machines: set {PREFIX}WEB_TOKEN, the same for "
            f"all workers, or {PREFIX}WEB_BIND=127.0.0.1"
        )
    check_port(conf.web_bind, conf.web_port)


def check_port(bind: str, port: int) -> None:
    """See that a server could listen just now on a TCP port of a name or an address; a SettingsError if not."""
    try:
        addresses = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise SettingsError(f"{PREFIX}WEB_BIND={bind} is no address of this host: {_reason(exc)}") from None
    for family, *_, address in addresses:
        try:
            socket.create_server(address, family=family).close()
        except OSError as exc:
            advice = ADVICE.get(exc.errno or 0, "cannot be listened on: {reason}")
            what = advice.format(prefix=PREFIX, reason=_reason(exc))
            raise SettingsError(f"{PREFIX}WEB_PORT={port} at {PREFIX}WEB_BIND={bind} {what}") from None


def check_store(start: Start) -> None:
    """Check that Redis, if the tables are in it, answers."""
    if start.app.settings.store.startswith(REDIS):
        from streamapp.stores import redis  # only for who needs it: its import is a tenth of the start

        redis.check(start.app.settings)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
