"""Where streamapp's time goes: stacks of the worker while it joins, looked at from outside by py-spy."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.peers import Peer
from benchmarks.runner import PeerError, Runner
from benchmarks.workload import Load

__all__ = ["shares", "stacks"]

#: Stacks a second: each one stops the worker for a moment.
RATE: Final = 100
#: Seconds that a worker has for its first record, and then for any more.
FIRST: Final = 120.0
STALL: Final = 15.0
EVERY: Final = 0.05

#: A function in py-spy's words: ``name (file:line)`` of Python, ``name (file)`` or ``name (file:line)`` of C.
FRAME: Final = re.compile(r"(?P<name>.*) \((?P<file>[^()]*?)(?::\d+)?\)")
#: C functions in which a thread does nothing: it waits for the network, for another thread or for the interpreter.
WAITS: Final = frozenset(
    (
        *("epoll_wait", "epoll_pwait", "poll", "select"),
        *("pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_clockwait", "PyThread_acquire_lock_timed"),
    )
)
COLLECTOR: Final = "gc_collect_main"
#: What py-spy names by a C file alone.
KNOWN: Final = {
    "socketmodule.c": "network",
    "default_records.c": "aiokafka",
    "memory_records.c": "aiokafka",
    "?": "code that was compiled at run time",
}


def stacks(runner: Runner, peer: Peer, workload: Load, output: Path) -> list[str]:
    """Let a peer join a workload, and give its stacks from the first joined record to the last.

    Each line is the functions of a stack, the outermost first, with ``;`` between, and how often it was seen.

    Raises:
        PeerError: if it joins nothing, or py-spy may not look at it.
    """
    pyspy, results = Path(sys.executable).parent / "py-spy", workload.results
    with runner.job(peer, workload) as job, runner.process(peer, job) as process:
        command = [f"{pyspy}", "record", "--native", "--rate", f"{RATE}", "--format", "raw", "--output", f"{output}"]
        profiler: subprocess.Popen[bytes] | None = None
        count, deadline = 0, time.monotonic() + FIRST
        while count < results and time.monotonic() < deadline:
            runner.check_alive(process, job)
            now = runner.topics.count(job.joined, job.partitions) or 0
            if now > count:
                count, deadline = now, time.monotonic() + STALL
            if count and profiler is None:
                profiler = subprocess.Popen([*command, "--pid", f"{process.pid}"], stdout=subprocess.DEVNULL)
            time.sleep(EVERY)
        if profiler is None:
            raise PeerError(f"{job.group} joined nothing; its log: {runner.log(job)}")
        profiler.send_signal(signal.SIGINT)
        if profiler.wait():
            raise PeerError("py-spy may not look at the worker: give it the capability SYS_PTRACE")
    return output.read_text().splitlines()


def shares(lines: Iterable[str]) -> tuple[int, dict[str, int], dict[str, int]]:
    """Sum up stacks, without those in which a thread waits.

    Returns:
        how many there are; how many by the innermost Python function; and how many by what runs beneath it: a library,
        the garbage collector, or the interpreter itself.
    """
    samples = 0
    functions: Counter[str] = Counter()
    libraries: Counter[str] = Counter()
    for line in lines:
        stack, _, number = line.rpartition(" ")
        frames = stack.split(";")
        innermost = max((order for order, frame in enumerate(frames) if _is_python(frame)), default=0)
        beneath = [_parts(frame) for frame in frames[innermost + 1 :]]
        if any(name in WAITS for name, _ in beneath):
            continue
        samples += int(number)
        functions[_function(frames[innermost])] += int(number)
        libraries[_library(beneath)] += int(number)
    return samples, dict(functions.most_common()), dict(libraries.most_common())


def _parts(frame: str) -> tuple[str, str]:
    found = FRAME.fullmatch(frame)
    return (found["name"], found["file"]) if found else (frame, "")


def _is_python(frame: str) -> bool:
    # A file in angle brackets is code that was made at run time, such as the methods of a dataclass.
    return _parts(frame)[1].endswith((".py", ">"))


def _function(frame: str) -> str:
    name, file = _parts(frame)
    return f"{name} ({file})" if file else name


def _library(beneath: list[tuple[str, str]]) -> str:
    if any(name == COLLECTOR for name, _ in beneath):
        return "garbage collector"
    for _, file in beneath:
        package, inside, _ = file.partition("/")
        if inside and ".so" in file:
            return package
        if file in KNOWN:
            return KNOWN[file]
    return "interpreter"
