"""IP addresses, each as one text."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

__all__ = ["address"]


@lru_cache(maxsize=1 << 16)
def address(text: str) -> str:
    """Return an IPv4 or IPv6 address in its shortest form; one of IPv4 in IPv6 (``::ffff:1.2.3.4``) is that of IPv4.

    Raises:
        ValueError: if it is none, or is of one host only (``fe80::1%eth0``).
    """
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"the ip {text!r} is no IPv4 or IPv6 address") from None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            raise ValueError(f"the ip {text!r} has a zone, which is something on one host only")
        found = found.ipv4_mapped or found
    return str(found)
