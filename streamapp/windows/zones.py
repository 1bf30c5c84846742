"""Time zones: what the clocks on the wall show, so that a day is 23 or 25 hours long where they are changed."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["Zone", "zone_of"]

EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of a clock on the wall
MS: Final = timedelta(milliseconds=1)
#: Wall times (ms) of the years 2 to 9998: those before and after have the offset of the first and the last of them.
FIRST: Final = (datetime(2, 1, 1) - EPOCH) // MS  # noqa: DTZ001
LAST: Final = (datetime(9998, 1, 1) - EPOCH) // MS  # noqa: DTZ001


class Zone:
    """Converts between event times and what a clock on the wall shows then, both in ms since 1970-01-01 00:00."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)

    def instant(self, wall: int) -> int:
        """Return the first event time at which the clocks show a wall time, or, where they skip it, a later one."""
        shown = EPOCH + min(max(wall, FIRST), LAST) * MS
        return wall - self._offset(shown.replace(tzinfo=self._zone))

    def wall(self, timestamp: int) -> int:
        """Return what the clocks show at an event time."""
        utc = (EPOCH + min(max(timestamp, FIRST), LAST) * MS).replace(tzinfo=self._zone)
        return timestamp + self._offset(self._zone.fromutc(utc))

    @staticmethod
    def _offset(time: datetime) -> int:
        return (time.utcoffset() or timedelta()) // MS


@functools.cache
def zone_of(name: str) -> Zone:
    """Return the zone of a name such as ``Europe/Berlin``.

    Raises:
        ValueError: if the machine knows none of this name.
    """
    try:
        return Zone(name)
    except (KeyError, ValueError, OSError):  # OSError: of a directory, such as Europe
        raise ValueError(f"there is no time zone {name!r}: write one such as Europe/Berlin or UTC") from None
