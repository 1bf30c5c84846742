"""How the values on the topics in are read: by the types in `models`, or by those that the settings name."""

from __future__ import annotations

from typing import Any

from streamapp.app import settings
from streamapp.pipelines.clicks.declared import declared
from streamapp.pipelines.clicks.models import FIELD, Click, Profile
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.runtime.decoding import Decoder
from streamapp.settings import PREFIX

__all__ = ["clicks", "profiles"]


def _decoder(topic: str, setting: str, default: type[Any], *, tombstones: bool = False) -> Decoder[Any]:
    name = getattr(settings, setting)
    try:
        type_ = declared(name, default)
    except ValueError as exc:
        raise SystemExit(f"streamapp: {PREFIX}{setting.upper()}={name} {exc}") from None
    return Decoder(
        type_,
        lambda value: value.user_id,
        tombstones=tombstones,
        field=FIELD,
        remedy=f"{PREFIX}REKEY={topic} goes by the {FIELD} in the value instead",
    )


clicks = _decoder(CLICKS, "click_type", Click)
profiles = _decoder(PROFILES, "profile_type", Profile, tombstones=True)
