"""An app that joins orders and customers of all pairs of formats, and sums orders of each up in windows, into each."""

from __future__ import annotations

import itertools

from format_pairs import KINDS, format_of, into

from streamapp import App
from streamapp.windows import Count, Sum, tumbling

app = App(origin="format_pairs_app")
orders = {kind: app.topic(f"orders_{kind}", format=format_of(kind, "Order")) for kind in KINDS}
customers = {kind: app.topic(f"customers_{kind}", format=format_of(kind, "Customer")) for kind in KINDS}

for left, right in itertools.product(KINDS, repeat=2):
    named = f"{left}_{right}"
    orders[left].join(customers[right].table(), how="left", name=f"joined_{named}").to(
        f"joined_{named}", format=format_of(into(left, right), "Joined")
    )
for kind, result in itertools.product(KINDS, repeat=2):
    named = f"sums_{kind}_{result}"
    orders[kind].window(tumbling("1m"), grace=0, name=named).agg(n=Count(), total=Sum("amount")).to(
        named, format=format_of(result, "Sum")
    )
