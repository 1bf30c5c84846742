"""Orders of customers, for joins without code."""

from __future__ import annotations

from topics import Topics

__all__ = ["TABLE", "order", "with_customers"]

TABLE = "join --left orders --right customers --on customer_id --to joined --how left"


def with_customers(bootstrap: str, name: str) -> Topics:
    """Make topics of orders, of which there are none, and of ten customers."""
    topics = Topics(bootstrap, name, partitions=2)
    topics.create("orders", "customers")
    for number in range(10):
        topics.send("customers", f"c{number}", {"customer_id": f"c{number}", "name": f"name {number}"})
    topics.flush()
    return topics


def order(topics: Topics, numbers: range, *, at: int = 1) -> None:
    """Send orders with these numbers, of the customers in turn."""
    for number in numbers:
        topics.send("orders", f"c{number % 10}", {"order": number, "customer_id": f"c{number % 10}"}, at=at)
    topics.flush()
