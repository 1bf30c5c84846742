"""An app with functions of streams, by their names; the environment says which of them it has (``FLOWS``).

It may say too at which step of a commit the worker is killed (``DIES_AT``), and of what type a state is (``STATE``).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import msgspec
from commit_steps import end_at

from streamapp import App, Context, Joined, Timer, TypedRecord
from streamapp.windows.count import Count
from streamapp.windows.time_windows import tumbling

__all__ = ["app"]


class Order(msgspec.Struct):
    order: int
    user: str
    amount: int


class Total(msgspec.Struct):
    orders: int = 0
    amount: int = 0


class Counted(msgspec.Struct):
    """`Total` with a field more, which has a default."""

    orders: int = 0
    amount: int = 0
    note: str = ""


class Other(msgspec.Struct):
    orders: str = ""


STATES: dict[str, Any] = {"total": Total, "counted": Counted, "other": Other}


def paid(order: TypedRecord[Order]) -> bool:
    return order.value.amount > 0


def total(order: TypedRecord[Order], user: Context[Any]) -> None:
    user.state.orders += 1
    user.state.amount += order.value.amount
    user.emit({"order": order.value.order, "nth": user.state.orders, "total": user.state.amount})


def named(pair: TypedRecord[Joined]) -> dict[str, Any]:
    left, right = (msgspec.json.decode((side and side.value) or b"{}") for side in (pair.value.left, pair.value.right))
    return {**left, "name": right.get("name")}


def six_steps(app: App) -> None:
    """Filter, rekey, process, join with a table, map, sink."""
    orders, users = app.topic("orders", type=Order), app.topic("users").table()
    totals = orders.filter(paid).rekey("user").process(total, state=STATES[os.environ.get("STATE", "total")])
    app.results(totals.join(users, how="left")).map(named).to("named_orders")


def heard(beat: TypedRecord[Any], machine: Context[int]) -> None:
    machine.state += 1
    machine.set_timer("event", after="10s")
    machine.set_wall_timer("wall", after=beat.value["wall"])


def silent(timer: Timer, machine: Context[int]) -> None:
    machine.emit({"timer": timer.name, "machine": timer.key.decode(), "beats": machine.state})


def timers(app: App) -> None:
    app.topic("beats").process(heard, state=int, on_timer=silent).to("silent")


def first(record: TypedRecord[Any], seen: Context[bool]) -> None:
    if not seen.state:
        seen.state = True
        seen.emit(record)


def forgetting(app: App) -> None:
    app.topic("messages").process(first, state=bool, ttl="1h", grace="1h", late="late_messages").to("unique")


def fails(record: TypedRecord[Any]) -> Any:
    return 1 / record.value["n"]


def failing(app: App) -> None:
    def fail(record: TypedRecord[Any], seen: Context[int]) -> None:
        seen.state += 1
        seen.emit({"of": record.value["of"], "state": seen.state})
        fails(record)

    numbers = app.topic("numbers")
    numbers.map(fails).to("inverse")
    numbers.map(lambda record: {"n": record.value["n"], "of": 1}).process(fail, state=int, name="fails").to("counted")


def merged(app: App) -> None:
    left = app.topic("left").map(lambda record: {"side": "left", **record.value})
    right = app.topic("right").flat_map(lambda record: [{"side": "right", "n": n} for n in record.value["ns"]])
    both = left.merge(right)
    both.to("both")
    both.join(app.topic("users").table(), how="left", name="of-users").to("both_named")


def again(app: App) -> None:
    """Join a table, the results with it once more, and count the results of both in windows."""
    users = app.topic("users")
    first = app.results(app.topic("clicks").join(users.table(), how="left", name="first"), unmatched="unknown")
    second = app.results(first.join(users.table(), how="left", name="second"))
    second.to("joined_twice")
    counts = app.results(second.window(tumbling("1m"), name="counts").agg(n=Count()))
    counts.filter(lambda window: window.value["n"] > 1).to("busy_minutes")


FLOWS: dict[str, Callable[[App], None]] = {
    each.__name__: each for each in (six_steps, timers, forgetting, failing, merged, again)
}

app = App()
for flow in os.environ["FLOWS"].split(","):
    FLOWS[flow](app)
if step := os.environ.get("DIES_AT"):
    end_at(step, signal.SIGKILL)
