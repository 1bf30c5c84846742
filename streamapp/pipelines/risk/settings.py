"""The settings of the risk pipeline, and the names of its topics."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Final

from streamapp import setting_parsers as values
from streamapp.settings import PREFIX, Settings, SettingsError, setting

__all__ = ["ACCOUNTS", "ALERTS", "SCORES", "TRANSACTIONS", "RiskSettings", "Steps"]

#: Names of the topics, before the prefix.
TRANSACTIONS: Final = "transactions"
ACCOUNTS: Final = "accounts"
SCORES: Final = "transaction_scores"
ALERTS: Final = "risk_alerts"

_threshold = values.within(float, 0.0, 1.0, "a number from 0 to 1")


class Steps(enum.StrEnum):
    """In how many steps a transaction gets its features."""

    #: Both at once: all transactions are in one partition.
    ONE = "one"
    #: Where its account is, and then where its IP is.
    TWO = "two"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RiskSettings(Settings):
    """What can be set of the risk of transactions."""

    risk_model: Path | None = setting(None, values.path, "the model, an ONNX file (default: the one in the package)")
    risk_rules: Path | None = setting(None, values.path, "the rules, a TOML file (default: those in the package)")
    risk_budget: float = setting(
        5.0,
        values.within(float, 0.1, 60_000.0, "a number of ms from 0.1 to 60,000"),
        "ms that the model may take for a batch; what it does not get to goes on without a score",
    )
    risk_review: float | None = setting(
        None, _threshold, "score from which a transaction is reviewed (default: by the model)"
    )
    risk_decline: float | None = setting(None, _threshold, "score from which one is declined (default: by the model)")
    risk_steps: Steps = setting(
        Steps.TWO,
        values.one_of(Steps),
        "two: features of accounts, then of IPs, with a topic between; one: both at once, for one partition",
    )
    risk_grace: float = setting(
        10.0, values.seconds(0), "seconds that a transaction may be behind others by event time, and have features"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.risk_review is not None and self.risk_decline is not None and self.risk_review > self.risk_decline:
            raise SettingsError(
                f"{PREFIX}RISK_REVIEW={self.risk_review:g}: it must not be above {PREFIX}RISK_DECLINE, "
                f"which is {self.risk_decline:g}"
            )
