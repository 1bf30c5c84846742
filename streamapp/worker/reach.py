"""Whether the web views can, and may, listen where they are to; found out before the worker does anything else."""

from __future__ import annotations

import errno
import socket
from typing import Final

from streamapp.loopback import is_loopback
from streamapp.settings import PREFIX, Settings, SettingsError

__all__ = ["check_port", "check_reach"]

#: What is to be done about an error, by its number.
ADVICE: Final = {
    errno.EADDRINUSE: "is taken: another worker, or another program, listens there; set another {prefix}WEB_PORT",
    errno.EADDRNOTAVAIL: "cannot be listened on, since this host has no such address: set another {prefix}WEB_BIND",
    errno.EACCES: "cannot be listened on by this user: set a {prefix}WEB_PORT from 1024 on",
}


def check_reach(settings: Settings, bind: str) -> None:
    """Make sure that the views are not shown to other machines without a token.

    Args:
        settings: which have the token.
        bind: address that the views listen on; Faust's command line may have changed it.

    Raises:
        SettingsError: if others can reach it, and there is no token.
    """
    if not settings.web_token and not is_loopback(bind):
        raise SettingsError(
            f"the web views at {bind} could be seen from other machines: set {PREFIX}WEB_TOKEN, the same for all "
            f"workers, or {PREFIX}WEB_BIND=127.0.0.1"
        )


def check_port(bind: str, port: int) -> None:
    """See that a server could listen on the port just now.

    Args:
        bind: a host name or an address.
        port: of TCP.

    Raises:
        SettingsError: if it could not.
    """
    try:
        addresses = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise SettingsError(f"{PREFIX}WEB_BIND={bind} is no address of this host: {_reason(exc)}") from None
    for family, kind, protocol, _, address in addresses:
        try:
            with socket.socket(family, kind, protocol) as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                server.bind(address)
        except OSError as exc:
            advice = ADVICE.get(exc.errno or 0, "cannot be listened on: {reason}")
            what = advice.format(prefix=PREFIX, reason=_reason(exc))
            raise SettingsError(f"{PREFIX}WEB_PORT={port} at {PREFIX}WEB_BIND={bind} {what}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
