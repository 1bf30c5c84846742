"""What the keys of clicks and profiles are, by the settings: the user id, as text or in a format."""

from __future__ import annotations

from streamapp.errors import StreamappError
from streamapp.formats.keys import KeyField, Keys
from streamapp.formats.named import named
from streamapp.pipelines.clicks.demo_schemas import demo_key_schema
from streamapp.pipelines.clicks.models import FIELD
from streamapp.pipelines.clicks.settings import CLICKS, ClickSettings
from streamapp.settings import PREFIX

__all__ = ["keys_of"]


def keys_of(settings: ClickSettings) -> Keys | None:
    """Return what the keys of clicks and profiles are; None = text.

    Raises:
        StreamappError: if their schema is missing, wrong or of no use.
    """
    kind, given = settings.key_format, settings.key_schema
    if kind is None:
        if given:
            raise StreamappError(f"{PREFIX}KEY_SCHEMA={given} is for keys in a format: set {PREFIX}KEY_FORMAT")
        return None
    schema = given or demo_key_schema(kind)
    try:
        found = named(kind, schema, f"{PREFIX}KEY_SCHEMA").bound(settings.topic(CLICKS), key=True)
    except StreamappError as exc:
        raise type(exc)(f"{PREFIX}KEY_SCHEMA={given}: {exc}" if given else str(exc)) from None
    return Keys(KeyField(found, FIELD))
