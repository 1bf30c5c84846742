"""Another declaration of a join: the same one, with another window, grace, TTL or how."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from streamapp.advice.subject import SubjectError
from streamapp.joins import (
    AsOfJoin,
    ForeignKeyJoin,
    How,
    Join,
    NWayJoin,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    WindowedReduce,
)
from streamapp.windows import Windows
from streamapp.windows.enrichment import Enrichment
from streamapp.windows.sessions import Sessions
from streamapp.windows.time_windows import TimeWindows
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["Settings", "settings_of", "with_settings"]

#: The settings of each kind of join that may be others.
OPTIONS: Final[dict[type, tuple[str, ...]]] = {
    StreamStreamJoin: ("how", "before", "after", "grace"),
    AsOfJoin: ("how", "tolerance", "grace"),
    StreamTableJoin: ("how", "ttl", "history", "grace"),
    NWayJoin: ("how", "ttl", "history", "grace"),
    TableTableJoin: ("how",),
    ForeignKeyJoin: ("how",),
    WindowedReduce: ("grace", "size", "advance"),
    WindowedAggregate: ("grace", "size", "advance", "session"),
    Enrichment: ("grace",),
}


#: Those that windows themselves have.
WINDOWS: Final = ("size", "advance", "session")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What may be another one (durations in ms), as `streamapp join` and `window` name it; None = as it is."""

    how: How | None = None
    before: int | None = None
    after: int | None = None
    tolerance: int | None = None
    grace: int | None = None
    ttl: int | None = None
    history: int | None = None
    size: int | None = None
    advance: int | None = None
    session: int | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that are another one."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def settings_of(join: Join[Any]) -> tuple[str, ...]:
    """Return the names of the settings that a join has."""
    return next((names for kind, names in OPTIONS.items() if isinstance(join, kind)), ())


def with_settings(name: str, join: Join[Any], settings: Settings) -> Join[Any]:
    """Return a join, which has a name, with other settings.

    Raises:
        SubjectError: if it has no such settings, or they do not go together.
    """
    given, known = settings.given, settings_of(join)
    if unknown := [option for option in given if option not in known]:
        has = ", ".join(f"--{option}" for option in known) or "none"
        raise SubjectError(f"{name} has no setting --{unknown[0]}: it is {join.declared()}, and takes {has}")
    try:
        return _changed(join, given)
    except ValueError as exc:
        raise SubjectError(f"{name}: {exc}") from None


def _changed(join: Any, given: dict[str, Any]) -> Join[Any]:
    if isinstance(join, NWayJoin):
        return NWayJoin(tuple(_changed(one, given) for one in join.joins))  # type: ignore[misc]
    if isinstance(join, WindowedAggregate):
        windows: dict[str, int] = {option: given.pop(option) for option in WINDOWS if option in given}
        if windows:
            given["windows"] = _windows(join.windows, windows)
    changed: Join[Any] = dataclasses.replace(join, **given)
    return changed


def _windows(windows: Windows, given: dict[str, int]) -> Windows:
    if isinstance(windows, Sessions) and given.keys() == {"session"}:
        return Sessions(given["session"])
    if isinstance(windows, TimeWindows) and "session" not in given:
        size = given.get("size", windows.size)
        tumbling = windows.advance == windows.size
        advance = given.get("advance", size if tumbling else windows.advance)
        return dataclasses.replace(windows, size=size, advance=advance)
    takes = "--session" if isinstance(windows, Sessions) else "--grace"
    if isinstance(windows, TimeWindows):
        takes = "--size and --advance"
    raise ValueError(f"these are {windows.kind}, and take {takes}")
