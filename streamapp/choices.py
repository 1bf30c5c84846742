"""What settings choose from."""

from __future__ import annotations

import enum

__all__ = ["Create", "Guarantee", "OnFailure", "OnLost", "SaslMechanism", "SecurityProtocol"]


class Guarantee(enum.StrEnum):
    """Faust's processing guarantees."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


class OnFailure(enum.StrEnum):
    """What becomes of a record that an agent fails on each time."""

    DEAD_LETTER = "dead_letter"
    STOP = "stop"


class Create(enum.StrEnum):
    """Which input topics are made if they are missing; all others, such as those of results, always are."""

    #: Those that the app declares as its own (`App.batches`, ``create=True``), as this one's clicks and profiles are.
    OWN = "own"
    MISSING = "missing"
    NEVER = "never"


class OnLost(enum.StrEnum):
    """What becomes of a worker when records are gone before it has read them."""

    GO_ON = "go_on"
    STOP = "stop"


class SecurityProtocol(enum.StrEnum):
    """How to talk to the broker; the names are Kafka's own."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(enum.StrEnum):
    """SASL mechanisms that both aiokafka and librdkafka speak."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
