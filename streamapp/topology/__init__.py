"""Joins on Kafka, as they are declared: topics that are joined, one agent for each join, its state in a table.

purchases, views = app.topic("purchases"), app.topic("views")
bought = purchases.join(views, before=timedelta(minutes=10), after=0, grace=timedelta(minutes=1), how="left")
bought.to(app.sink("bought"))

In: declarations, and the batches of their topics, merged by event time. Out: work on each batch, by `streamapp.joins`.
"""

from streamapp.topology.app import App
from streamapp.topology.declaration import JoinDeclaration
from streamapp.topology.processor import JoinError, JoinProcessor
from streamapp.topology.topic import Topic
from streamapp.topology.topic_table import TopicTable
from streamapp.topology.windowing import Bounds, WindowDeclaration, WindowProcessor

__all__ = [
    "App",
    "Bounds",
    "JoinDeclaration",
    "JoinError",
    "JoinProcessor",
    "Topic",
    "TopicTable",
    "WindowDeclaration",
    "WindowProcessor",
]
