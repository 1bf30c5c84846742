"""Which pipelines there are, and all that can be set of this repository's app."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from streamapp import setting_parsers as values
from streamapp.pipelines.clicks.settings import ClickSettings
from streamapp.settings import setting

__all__ = ["PIPELINES", "AppSettings"]

#: The modules of each pipeline that declare its agents.
PIPELINES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {"clicks": ("streamapp.agents.clicks", "streamapp.agents.profiles")}
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppSettings(ClickSettings):
    """The settings of the library and of all pipelines; those of a pipeline that does not run change nothing."""

    pipelines: tuple[str, ...] = setting(
        ("clicks",), values.some_of(PIPELINES, least=1), f"what the worker runs: {', '.join(PIPELINES)}"
    )

    @property
    def modules(self) -> list[str]:
        """The modules of the pipelines that run."""
        return [module for name in self.pipelines for module in PIPELINES[name]]
