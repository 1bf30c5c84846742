"""How long a record takes from its append at the broker until a reader of committed records has it with its count.

python -m benchmarks.enrich_latency --rate 2000 --seconds 30

The worker runs `benchmarks/programs/streamapp/windows.py`, which counts the transactions of each key within a minute;
all else is as in `benchmarks.risk_latency`.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.peers import PROGRAMS
from benchmarks.risk_latency import arguments, run, under_load
from benchmarks.risk_load import TRANSACTIONS
from benchmarks.windowing import WINDOWED
from streamapp.embedded_kafka.ports import free_port

RESULTS: Final = "enriched"


def measure(bootstrap: str, directory: Path, options: argparse.Namespace) -> dict[str, object]:
    """Run a worker under load."""
    topics = [
        NewTopic(TRANSACTIONS, options.partitions, 1, config={"message.timestamp.type": "LogAppendTime"}),
        NewTopic(RESULTS, options.partitions, 1),
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics(topics).values():
        made.result(60)
    environment = {
        "STREAMAPP_BROKER": bootstrap,
        "STREAMAPP_DATADIR": str(directory / "data"),
        "STREAMAPP_STORE": options.store,
        "STREAMAPP_WEB_PORT": str(free_port()),
        "STREAMAPP_PROCESSING_GUARANTEE": options.guarantee,
        "TRANSACTIONS": TRANSACTIONS,
        "RESULTS": RESULTS,
        "WINDOW": "enrich",
        "PYTHONPATH": str(PROGRAMS / "streamapp"),
        **WINDOWED,
    }
    return under_load("windows", environment, directory, options, RESULTS)


if __name__ == "__main__":
    asyncio.run(run(measure, arguments(__doc__).parse_args()))
