"""What the risk agents count, for ``/metrics``."""

from __future__ import annotations

import functools
from collections import Counter as Counts
from collections.abc import Sequence

import prometheus_client as prometheus

from streamapp.pipelines.risk.models import Score
from streamapp.web.panels import Panel, Shown

__all__ = ["RiskMetrics"]

#: Seconds of a run of the model that are told apart.
RUN_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class RiskMetrics:
    """The counters of transactions; ``scored + unscored`` of all reasons is how many came out."""

    def __init__(self, registry: prometheus.CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> prometheus.Counter:
            return prometheus.Counter(f"streamapp_risk_{name}", text, labels, registry=registry)

        self._scored = counter("scored", "transactions that the model gave a score")
        self._unscored = counter("unscored", "transactions without a score", "reason")
        self._decisions = counter("decisions", "transactions by what is to become of them", "decision")
        self._late = counter("late", "transactions that were late for some of their features")
        self._rules = counter("rules", "transactions for which a rule held", "rule")
        self._rows = counter("model_rows", "transactions that the model was given")
        self._seconds = prometheus.Histogram(
            "streamapp_risk_model_seconds", "runs of the model", buckets=RUN_S, registry=registry
        )
        self._model = prometheus.Gauge("streamapp_risk_model", "1 = it is used", ("version",), registry=registry)
        self._version: str | None = None
        # To find a counter by its label alone takes as long as some transactions do.
        self._by_reason = functools.cache(self._unscored.labels)
        self._by_decision = functools.cache(self._decisions.labels)
        self._by_rule = functools.cache(self._rules.labels)
        self._files = prometheus.Gauge(
            "streamapp_risk_files", "versions of a file since the start", ("what", "outcome"), registry=registry
        )

    def count(self, scores: Sequence[Score]) -> None:
        """Count transactions."""
        for unscored, number in Counts([one.unscored for one in scores]).items():
            (self._scored if unscored is None else self._by_reason(unscored)).inc(number)
        for decision, number in Counts([one.decision for one in scores]).items():
            self._by_decision(decision).inc(number)
        for rule, number in Counts([rule for one in scores for rule in one.rules]).items():
            self._by_rule(rule).inc(number)
        self._late.inc(sum([one.late for one in scores]))

    def ran(self, rows: int, seconds: float) -> None:
        """Take note of a run of the model; may be called in any thread."""
        self._rows.inc(rows)
        self._seconds.observe(seconds)

    def files(self, what: str, taken: int, refused: int) -> None:
        """Show how many versions of a file were taken, and how many were not."""
        self._files.labels(what, "taken").set(taken)
        self._files.labels(what, "refused").set(refused)

    def panel(self, topic: str) -> Panel:
        """Return what the page shows, with the newest results of a topic."""
        shown = [
            Shown.of("decisions", self._decisions.collect(), "decision"),
            Shown.of("rules that held", self._rules.collect(), "rule"),
            Shown.of("without a score", self._unscored.collect(), "reason"),
        ]
        return Panel("Risk", shown, {"model": self._version or "none"}, topic)

    def model(self, version: str | None) -> None:
        """Show which model is used; None = none is."""
        self._version = version
        self._model.clear()
        if version is not None:
            self._model.labels(version).set(1)
