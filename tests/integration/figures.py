"""The figures of the page, panel by panel: as a browser shows them, and as the worker answers them."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from playwright.sync_api import Page
from worker import Worker, wait_until

__all__ = ["agree", "live"]

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
WAYS = {"input": "reads", "result": "sends", "side": "sets aside", "rows": "rows"}
ACCOUNTS = ("received", "matched", "pending", "unmatched", "late", "rejected")
SHOWN = """() => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const text = (element) => element.textContent.replaceAll(",", "").trim();
  const cells = (row) => all("td", row).map(text);
  const of = (rows, key, value) => Object.fromEntries(rows.map((row) => [row.getAttribute(key), value(row)]));
  return {
    state: text(document.querySelector("#state")),
    partitions: text(document.querySelector("#partitions")),
    topology: all("#topology tbody tr").map((row) => cells(row).slice(0, 4)),
    accounts: of(all("article.funnel"), "data-name", (card) => of(all("[data-account]", card), "data-account", text)),
    reasons: of(all("article.funnel"), "data-name", (card) =>
      all("button.reason", card).map((one) => [one.dataset.topic, one.dataset.reason, text(one.lastChild)])),
    clocks: of(all("article.funnel"), "data-name", (card) => all(".clocks tbody tr", card).map(cells)),
    lag: text(document.querySelector("#lag")),
    topics: of(all("tr[data-topic]"), "data-topic", (row) => cells(row).filter((_, at) => at < 2 || at === 5)),
    strips: all(".strip figcaption").length,
    latency: of(all("[data-latency]"), "data-latency", text),
    tables: of(all("[data-table]"), "data-table", (row) => [cells(row)[1], cells(row)[3]]),
    sent: of(all("details.topic"), "data-topic", (card) => text(card.querySelector("summary .count"))),
    letters: all("#results tbody tr").map((row) => cells(row)[0]),
    workers: of(all("tr[data-member]"), "data-member", (row) => cells(row).slice(0, 3)),
  };
}"""


def live(worker: Worker, headers: Mapping[str, str] = NO_HEADERS) -> dict[str, Any]:
    """Give the first snapshot that the live stream sends."""
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/api/live", headers=dict(headers))
        answer = connection.getresponse()
        assert answer.readline() == b"event: worker\n"
        return dict(json.loads(answer.readline().removeprefix(b"data: ")))


def agree(page: Page, worker: Worker, headers: Mapping[str, str] = NO_HEADERS) -> dict[str, Any]:
    """Wait until all figures that the page shows are those that the worker answers, and give them."""
    both: list[dict[str, Any]] = []

    def alike() -> bool:
        both[:] = [shown(page), answered(worker, headers)]
        return both[0] == both[1]

    try:
        wait_until(alike, "the page shows what the worker answers")
    except AssertionError:
        assert both[0] == both[1]
        raise
    return both[0]


def shown(page: Page) -> dict[str, Any]:
    """Give what the page shows."""
    found = dict(page.evaluate(SHOWN))
    for rows in (found["topology"], *found["reasons"].values()):
        rows.sort()
    return found


def answered(worker: Worker, headers: Mapping[str, str]) -> dict[str, Any]:
    """Give what the page has to show."""
    snapshot = live(worker, headers)
    group, tables = (worker.get(path, headers=headers).json() for path in ("/api/group", "/api/tables"))
    health, funnels = snapshot["health"], snapshot["funnels"]
    here = sum(len(numbers) for topic, numbers in health["assigned"].items() if topic in snapshot["partitions"])
    nodes = {node["id"]: node["name"] for node in snapshot["topology"]["nodes"]}
    lags: Counter[str] = Counter()
    for one in group["partitions"]:
        lags[one["topic"]] += one["lag"] or 0
    timed = {one["topic"]: one["latency"] for one in snapshot["results"]} | {"commits": snapshot["commits"]["seconds"]}
    return {
        "state": health["state"],
        "partitions": f"{here} partitions here {sum(snapshot['partitions'].values()) - here} elsewhere",
        "topology": sorted(
            [nodes[edge["source"]], WAYS[edge["way"]], nodes[edge["target"]], _shown(edge["count"])]
            for edge in snapshot["topology"]["edges"]
        ),
        "accounts": {one["name"]: {account: str(one["balance"][account]) for account in ACCOUNTS} for one in funnels},
        "reasons": {
            one["name"]: sorted([cause["topic"], cause["reason"], str(cause["count"])] for cause in one["causes"])
            for one in funnels
        },
        "clocks": {one["name"]: [_clock(one, clock) for clock in one["clocks"]] for one in funnels},
        "lag": f"{sum(lags.values())} records behind",
        "topics": {
            one["topic"]: [str(one["partitions"]), str(lags[one["topic"]]), str(len(one["unowned"]) or "")]
            for one in group["topics"]
        },
        "strips": len(group["topics"]),
        "latency": {name: str(sum(buckets["counts"])) for name, buckets in timed.items()},
        "tables": {one["name"]: [str(one["rows"]), str(one["lag"])] for one in tables},
        "sent": {one["topic"]: str(one["sent"]) for one in snapshot["results"]},
        "letters": [f"{one['topic']}[{one['partition']}]@{one['offset']}" for one in snapshot["dead_letters"]],
        "workers": {
            one["member"]: [_state(one), _total(one["assigned"]), _total(one["standbys"])] for one in group["workers"]
        },
    }


def _shown(count: int | None) -> str:
    return "" if count is None else str(count)


def _state(worker: Mapping[str, Any]) -> str:
    return "✓ ready" if worker["ready"] else str(worker["state"])


def _total(partitions: Mapping[str, list[int]]) -> str:
    return str(sum(map(len, partitions.values())))


def _clock(funnel: Mapping[str, Any], clock: Mapping[str, Any]) -> list[str]:
    times = [clock["clock"], *(clock["read"].get(topic) for topic in funnel["topics"])]
    return [str(clock["partition"]), *map(_moment, times)]


def _moment(ms: int | None) -> str:
    if ms is None:
        return ""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{ms % 1000:03}"
