"""Records that cannot be used, and why."""

from __future__ import annotations

import enum

__all__ = ["Reason", "Undecodable"]


class Reason(enum.StrEnum):
    """Why a record went to the dead letters."""

    NOT_JSON = "not_json"
    NOT_MSGPACK = "not_msgpack"
    NOT_AVRO = "not_avro"
    NOT_PROTOBUF = "not_protobuf"
    #: It says that it is of a schema that is not known here.
    UNKNOWN_SCHEMA = "unknown_schema"
    #: A result for which the schema of its topic has no place.
    NOT_OF_SCHEMA = "not_of_schema"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NULL_KEY = "null_key"
    HEADER_NOT_UTF8 = "header_not_utf8"
    KEY_MISMATCH = "key_mismatch"
    TOMBSTONE = "tombstone"
    UNKNOWN_CODEC = "unknown_codec"
    TOO_LARGE = "too_large"
    INVALID_TIMESTAMP = "invalid_timestamp"
    #: By the broker, or by a function that was given to a join.
    REFUSED = "refused"
    AGENT_FAILED = "agent_failed"
    #: An update of a versioned table, older than its history.
    EXPIRED = "expired"


class Undecodable(ValueError):
    """A record that cannot be used, and the reason."""

    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason
