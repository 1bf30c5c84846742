"""How long streamapp takes to start with a table to restore."""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from typing import Final

from benchmarks.peers import Job, Streamapp
from benchmarks.results import Restore
from benchmarks.runner import PeerError, Runner
from benchmarks.sampling import ProcessTree
from benchmarks.workload import Workload

__all__ = ["restores"]

#: What the worker says when its tables are restored.
READY: Final = re.compile(r"Ready: .*?([\d,]+) changelog records read in ([\d.]+) s")
#: Seconds between two looks at the log.
EVERY: Final = 0.02
#: Seconds that a worker has to fill its table or to restore it, and what a row adds to that.
PATIENCE: Final = 60.0
PATIENCE_PER_USER: Final = 1e-4


def restores(runner: Runner, streamapp: Streamapp, users: int, rounds: int) -> list[Restore]:
    """Fill a table of so many rows, and start workers again: without their rows, in each store, and with them.

    Raises:
        PeerError: if a worker ends, or takes too long.
    """
    workload = Workload(users, clicks=0)
    rocksdb, memory = (dataclasses.replace(streamapp, store=store) for store in ("rocksdb://", "memory://"))
    with runner.job(rocksdb, workload) as job:
        _fill(runner, rocksdb, job, users)
        found = []
        for _ in range(rounds):
            found.append(_restore(runner, memory, job, users, kept=False))
            found.append(_restore(runner, rocksdb, job, users, kept=False))
            found.append(_restore(runner, rocksdb, job, users, kept=True))
        return found


def _fill(runner: Runner, peer: Streamapp, job: Job, users: int) -> None:
    changelog = f"{job.group}-user_profiles-changelog"
    end = time.monotonic() + PATIENCE + PATIENCE_PER_USER * users
    with runner.process(peer, job) as process:
        while (runner.topics.count(changelog, job.partitions) or 0) < users:
            runner.check_alive(process, job)
            if time.monotonic() > end:
                raise PeerError(f"{job.group} did not fill its table in time; its log: {runner.log(job)}")
            time.sleep(EVERY)


def _restore(runner: Runner, peer: Streamapp, job: Job, users: int, *, kept: bool) -> Restore:
    if not kept:
        shutil.rmtree(job.state)
        job.state.mkdir()
    runner.log(job).unlink()
    begin = time.monotonic()
    with runner.process(peer, job) as process:
        tree = ProcessTree(process.pid)
        peak = 0
        while (ready := READY.search(runner.log(job).read_text())) is None:
            runner.check_alive(process, job)
            if time.monotonic() > begin + PATIENCE + PATIENCE_PER_USER * users:
                raise PeerError(f"{job.group} was not ready in time; its log: {runner.log(job)}")
            peak = max(peak, tree.usage()[1])
            time.sleep(EVERY)
        start = time.monotonic() - begin
    rows = int(ready[1].replace(",", ""))
    restore = Restore(peer.store, kept, rows, float(ready[2]), round(start, 2), round(peak / 1e6, 1))
    print(restore, flush=True)
    return restore
