"""The types of what is declared, as mypy has to see them; nobody runs this."""

from __future__ import annotations

from typing import assert_type

from streamapp import App, Context, Joined, Row, Timer, Topic, TypedRecord
from streamapp.joins import Enriched, Record, WindowedValue
from streamapp.runtime.output import Output
from streamapp.topology import JoinDeclaration, JoinProcessor
from streamapp.worker.table import Table

app = App("typed")
orders, payments = app.topic("orders"), app.topic("payments", batches=True)
table = payments.table()

assert_type(orders, Topic)
assert_type(payments, Topic)
assert_type(app.table("counts"), Table)
assert_type(app.sink("paid"), Output)
assert_type(orders.rekey(lambda order: order.value, name="customer"), Topic)
assert_type(orders.join(payments, before=0, after=1, grace=1), JoinDeclaration[Joined])
assert_type(orders.join(table, how="left"), JoinDeclaration[Joined])
assert_type(orders.join(table, table), JoinDeclaration[Enriched])
assert_type(orders.join(table, table, table, grace=1), JoinDeclaration[Enriched])
assert_type(orders.join(payments.global_table(), key=lambda order: order.value), JoinDeclaration[Joined])
assert_type(orders.join_asof(payments, tolerance=1, grace=1), JoinDeclaration[Joined])
assert_type(table.join(orders.table(), how="outer"), JoinDeclaration[Joined])
assert_type(orders.join(table).to("paid"), JoinProcessor[Joined])
assert_type(orders.join(table, table).to(app.sink("paid")), JoinProcessor[Enriched])


def more(count: int, _side: int, _record: Record) -> int:
    return count + 1


windows = orders.reduce_windows(payments, size=1, grace=1, initial=int, reduce=more, value=int)
assert_type(windows, JoinDeclaration[WindowedValue[int]])


def named(pair: Joined) -> str:
    assert_type(pair.right, Record | Row | None)
    return ""


def of_both(result: Enriched) -> str:
    assert_type(result.rows, list[Row | None])
    return ""


orders.join(table).to("paid", value=named)
orders.join(table, table).to("paid", value=of_both)

# What does not go together is an error before anything runs.
orders.join(payments)  # type: ignore[call-overload]
orders.join(table, before=1)  # type: ignore[call-overload]
orders.join(table).to("paid", value=of_both)  # type: ignore[arg-type]
orders.join(table, table).to("paid", value=named)  # type: ignore[arg-type]


def paid(order: TypedRecord[int]) -> bool:
    return order.value > 0


def counted(order: TypedRecord[int], user: Context[list[int]]) -> None:
    assert_type(order.value, int)
    assert_type(user.state, list[int])
    user.emit(order)


def over(timer: Timer, user: Context[list[int]]) -> None:
    user.cancel_timer(timer.name)


stream = orders.filter(paid).flat_map(lambda order: [order]).rekey("user")
assert_type(stream, Topic)
assert_type(stream.branch(paid), tuple[Topic, ...])
assert_type(stream.merge(orders.map(paid)), Topic)
assert_type(stream.process(counted, state=list[int], on_timer=over), Topic)
assert_type(stream.process(counted, state=list[int]).side("late").join(table), JoinDeclaration[Joined])
assert_type(app.results(orders.join(table)), Topic)
stream.process(counted, state=list[str])  # type: ignore[arg-type]
