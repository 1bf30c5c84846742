"""Producers: generated traffic and JSON lines, delivered and accounted for. No Faust in here.

In: a file, a pipe or a generator, and how fast. Out: records on topics, and a report of what was delivered.
"""

from streamapp.errors import ProduceError
from streamapp.kafka.producer import Delivery, Producer
from streamapp.pipelines.clicks.traffic import BAD_CLICKS, Kind, Record, Timeline, Traffic, generate
from streamapp.produce.command import FromFile, run
from streamapp.produce.delivery import Generated, Options, Report, produce_generated, produce_lines
from streamapp.produce.lines import JsonLines, Line
from streamapp.produce.times import Unit
from streamapp.produce.topics import ensure_topics, require_topic

__all__ = [
    "BAD_CLICKS",
    "Delivery",
    "FromFile",
    "Generated",
    "JsonLines",
    "Kind",
    "Line",
    "Options",
    "ProduceError",
    "Producer",
    "Record",
    "Report",
    "Timeline",
    "Traffic",
    "Unit",
    "ensure_topics",
    "generate",
    "produce_generated",
    "produce_lines",
    "require_topic",
    "run",
]
