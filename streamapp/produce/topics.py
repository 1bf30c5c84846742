"""Topics: make sure that they are there before anything is sent to them."""

from __future__ import annotations

from collections.abc import Sequence

from streamapp.errors import ProduceError
from streamapp.kafka.admin import Cluster
from streamapp.settings import Settings

__all__ = ["ensure_topics", "require_topic"]


def ensure_topics(settings: Settings, names: Sequence[str], *, timeout: float = 30.0) -> None:
    """Create those of the topics that do not exist; see `Cluster.ensure`.

    Raises:
        ClusterError: if the broker cannot be reached within `timeout` seconds or refuses.
    """
    Cluster(settings, timeout=timeout).ensure(names)


def require_topic(settings: Settings, name: str, *, timeout: float = 30.0) -> None:
    """Check that a topic exists.

    Raises:
        ProduceError: if it does not.
        ClusterError: if the broker cannot be reached within `timeout` seconds.
    """
    if name not in Cluster(settings, timeout=timeout).listed([name]):
        raise ProduceError(
            f"there is no topic {name} at {settings.broker}: start the worker, which creates its own topics, "
            f"or pass --create"
        )
