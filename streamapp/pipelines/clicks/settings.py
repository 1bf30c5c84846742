"""The settings of the clicks' pipeline, and the names of its topics."""

from __future__ import annotations

import dataclasses
from typing import Final

from streamapp import setting_parsers as values
from streamapp.formats.named import FormatName
from streamapp.joins import How
from streamapp.settings import DEAD_LETTERS, PREFIX, Settings, SettingsError, setting

__all__ = ["CLICKS", "JOINED", "PROFILES", "UNMATCHED", "ClickSettings"]

#: Names of the topics, before the prefix.
CLICKS: Final = "user_clicks"
PROFILES: Final = "user_profiles"
JOINED: Final = "joined_data"
UNMATCHED: Final = "unmatched_clicks"
#: What values may be: all but raw bytes, which have no user id in them.
FORMATS: Final = [name for name in FormatName if name is not FormatName.RAW]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClickSettings(Settings):
    """What can be set of the join of clicks with profiles."""

    joined_topic: str = setting("", values.topic_name, "full name of the output topic (default: prefix + joined_data)")
    profile_ttl: float = setting(
        300.0, values.seconds(0), "seconds of event time after which a profile expires; 0 = never"
    )
    join: How = setting(How.INNER, values.one_of([How.INNER, How.LEFT]), "inner, or left: clicks without a profile too")
    rekey: tuple[str, ...] = setting(
        (),
        values.some_of([CLICKS, PROFILES]),
        f"topics that are not keyed by the user id: {CLICKS}, {PROFILES} or both; written once more by it",
    )
    click_type: str = setting(
        "", values.type_name, "what clicks must be: MODULE:NAME of a msgspec.Struct (default: any object)"
    )
    profile_type: str = setting("", values.type_name, "what profiles must be, likewise")
    format: FormatName = setting(FormatName.JSON, values.one_of(FORMATS), f"of all values: {', '.join(FORMATS)}")
    click_format: FormatName | None = setting(None, values.one_of(FORMATS), f"of {CLICKS} (default: FORMAT)")
    profile_format: FormatName | None = setting(None, values.one_of(FORMATS), f"of {PROFILES} (default: FORMAT)")
    joined_format: FormatName | None = setting(
        None, values.one_of(FORMATS), f"of the results and {UNMATCHED} (default: FORMAT)"
    )
    click_schema: str = setting(
        "", str, "of clicks: x.avsc[,EARLIER.avsc], x.proto[:MESSAGE] or MODULE:CLASS (default: that of the demo)"
    )
    profile_schema: str = setting("", str, "of profiles, likewise")
    key_format: FormatName | None = setting(
        None,
        values.one_of([*FormatName]),
        f"of the keys of {CLICKS} and {PROFILES}: {', '.join(FormatName)} (default: text)",
    )
    key_schema: str = setting("", str, "of these keys, as CLICK_SCHEMA (default: a string)")
    bare: tuple[str, ...] = setting(
        (),
        values.some_of([CLICKS, PROFILES, JOINED]),
        f"topics whose Avro or Protobuf has no schema id, although there is a registry: {CLICKS}, {PROFILES}, {JOINED}",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.joined_topic in {self.topic(name) for name in (CLICKS, PROFILES, UNMATCHED, DEAD_LETTERS)}:
            raise SettingsError(
                f"{PREFIX}JOINED_TOPIC={self.joined_topic}: the results need a topic of their own, and that one has "
                "other records"
            )

    def topic(self, name: str) -> str:
        """Return the full name of a topic: of the joined one as it was set, of the others with the prefix."""
        return self.joined_topic if name == JOINED and self.joined_topic else super().topic(name)
