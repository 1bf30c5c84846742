"""Orders of two shops as one stream, in the order of their times: map and merge.

Run it:       faust -A examples.merge worker -l info
Send:         echo '{"id": "o1", "cents": 250}'  | streamapp produce web_orders --key id
              echo '{"no": "o2", "euros": 2.5}'  | streamapp produce branch_orders --key no
What it gives: all_orders has {"id": "o1", "cents": 250} and {"id": "o2", "cents": 250}, each with its key and its time.
"""

from __future__ import annotations

import msgspec

from streamapp import App, TypedRecord


class Order(msgspec.Struct):
    id: str
    cents: int


class BranchOrder(msgspec.Struct):
    no: str
    euros: float


def converted(order: TypedRecord[BranchOrder]) -> Order:
    return Order(order.value.no, round(order.value.euros * 100))


app = App("merge")
web = app.topic("web_orders", type=Order, create=True)
branch = app.topic("branch_orders", type=BranchOrder, create=True)

web.merge(branch.map(converted)).to("all_orders")
