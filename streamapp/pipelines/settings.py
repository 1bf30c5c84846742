"""Which pipelines there are, and all that can be set of this repository's app."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from streamapp import setting_parsers as values
from streamapp.extras import Extra, require
from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.settings import ClickSettings
from streamapp.pipelines.risk.settings import RiskSettings
from streamapp.pipelines.sensors.settings import SensorSettings
from streamapp.settings import PREFIX, SettingsError, setting

__all__ = ["PIPELINES", "AppSettings", "Pipeline"]


class Pipeline(NamedTuple):
    """A pipeline, by its modules, which are imported when they are needed."""

    #: Those that declare its agents.
    modules: Sequence[str]
    #: The one that generates its input: a class `Traffic` (`streamapp.produce.traffic`), and its options in `OPTIONS`.
    traffic: str
    #: The one that says how the demo shows it, by `demonstrated` (`streamapp.pipelines.demonstrated`).
    demo: str
    #: The one that makes its features of files, by `replay` (`streamapp replay --features`), if there is one.
    offline: str = ""
    #: What has to be installed for its agents to be imported.
    needs: Extra | None = None


#: The one whose topics may be in a format.
CLICKS_PIPELINE: Final = "clicks"
PIPELINES: Final[Mapping[str, Pipeline]] = MappingProxyType(
    {
        CLICKS_PIPELINE: Pipeline(
            ("streamapp.agents.clicks", "streamapp.agents.profiles"),
            "streamapp.pipelines.clicks.traffic",
            "streamapp.pipelines.clicks.demo",
        ),
        "risk": Pipeline(
            ("streamapp.agents.accounts", "streamapp.agents.transactions"),
            "streamapp.pipelines.risk.traffic",
            "streamapp.pipelines.risk.demo",
            "streamapp.pipelines.risk.offline",
        ),
        "sensors": Pipeline(
            ("streamapp.agents.readings",),
            "streamapp.pipelines.sensors.traffic",
            "streamapp.pipelines.sensors.demo",
            needs=Extra.SENSORS,
        ),
    }
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppSettings(ClickSettings, RiskSettings, SensorSettings):
    """The settings of the library and of all pipelines; those of a pipeline that does not run change nothing."""

    pipelines: tuple[str, ...] = setting(
        (CLICKS_PIPELINE,), values.some_of(PIPELINES, least=1), f"what the worker runs: {', '.join(PIPELINES)}"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        others = [name for name in self.pipelines if name != CLICKS_PIPELINE]
        if self.format is not FormatName.JSON and others:
            raise SettingsError(
                f"{PREFIX}FORMAT={self.format}: {' and '.join(others)} ({PREFIX}PIPELINES) can only read and write "
                f"{FormatName.JSON}; unset it, and set {PREFIX}CLICK_FORMAT, {PREFIX}PROFILE_FORMAT and "
                f"{PREFIX}JOINED_FORMAT if clicks run beside"
            )

    def require(self) -> None:
        """Check that what the pipelines that run need is installed; a `MissingExtraError` if it is not."""
        for needed in filter(None, (PIPELINES[name].needs for name in self.pipelines)):
            require(needed)

    @property
    def modules(self) -> list[str]:
        """The modules of the pipelines that run."""
        return [module for name in self.pipelines for module in PIPELINES[name].modules]
