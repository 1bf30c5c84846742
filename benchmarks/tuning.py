"""What each setting does: varied alone, with all others at their defaults."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Collection, Mapping
from typing import Final

import orjson

from benchmarks import latency
from benchmarks.check import check
from benchmarks.knobs import KNOBS, Knob, Subject
from benchmarks.latency import Reader
from benchmarks.machine import About
from benchmarks.options import Options
from benchmarks.peers import PROGRAMS, Job, Streamapp
from benchmarks.producing import produced
from benchmarks.results import Results
from benchmarks.runner import START, START_PER_RECORD, PeerError, Runner
from benchmarks.sampling import Figures, Sampler, stored_bytes
from benchmarks.takeover import PATIENCE, two_workers, wait_for
from benchmarks.tuning_results import Detection, Point, Tuning, Varied
from benchmarks.workload import Workload

__all__ = ["FROZEN", "KILLED", "detection", "point", "tune"]

#: Records a second of the steady load, and seconds of it that do not count.
RATE: Final = 10_000
LEAD: Final = 2.0
#: Seconds of a steady load before all others: the broker's JVM compiles what it goes through meanwhile.
WARM_UP: Final = 30.0
#: Parts of the clicks and of the seconds that are asked for: there are forty runs.
FEWER: Final = 2
#: Rows of the table of workers one of which is gone: to restore them takes no time beside its session.
ROWS: Final = 10_000
#: What becomes of a worker, and seconds that it takes at most beside the session timeout.
FROZEN: Final = "frozen"
KILLED: Final = "killed"
#: Profiles do not expire here, so that a slow machine leaves no click without one.
NO_EXPIRY: Final[Mapping[str, str]] = {"STREAMAPP_PROFILE_TTL": "0"}


def tune(runner: Runner, options: Options) -> Tuning:
    """Vary the settings that are asked for; those that are not keep their earlier figures."""
    earlier = Results.load(options.docs / "benchmarks").tuning
    varied = dict(earlier.varied) if earlier else {}
    load = Workload(options.users, options.clicks // FEWER)
    print("not counted, while the broker warms up:", flush=True)
    print(point(runner, _told(options.streamapp), load, WARM_UP, "default"), flush=True)
    for knob in KNOBS:
        if knob.name in options.settings:
            print(knob.name, flush=True)
            try:
                varied[knob.name] = _vary(runner, options, knob, load)
            except PeerError as exc:  # the others' figures of a quarter of an hour are not lost by it
                print(f"{knob.name} keeps its earlier figures: {exc}", flush=True)
    return Tuning(varied)


def _vary(runner: Runner, options: Options, knob: Knob, load: Workload) -> Varied:
    points, detections = [], []
    seconds = options.steady / FEWER
    for label, value in knob.values.items():
        told, workload = _told(options.streamapp, {knob.variable: value}), load
        match knob.subject:
            case Subject.SESSION:
                detections.append(detection(runner, told, float(value), label))
                print(detections[-1], flush=True)
                continue
            case Subject.PRODUCER:
                found = produced(runner, {knob.variable: value}, load, RATE, seconds, label)
            case Subject.PARTITIONS:
                workload = dataclasses.replace(load, partitions=int(value))
                found = point(runner, _told(options.streamapp), workload, seconds, label)
            case Subject.WORKER_OPTION:
                tuned = TunedStreamapp(told.bin, settings=told.settings)
                found = point(runner, tuned, workload, seconds, label)
            case _:
                found = point(runner, told, workload, seconds, label)
        points.append(found)
        print(found, flush=True)
    about = About.now(options.command, options.streamapp.bin)
    return Varied(about, load.clicks, RATE, seconds, points, detections)


def _told(streamapp: Streamapp, settings: Mapping[str, str] = NO_EXPIRY) -> Streamapp:
    return dataclasses.replace(streamapp, settings={**NO_EXPIRY, **settings})


def point(runner: Runner, peer: Streamapp, load: Workload, seconds: float, label: str) -> Point:
    """Let a worker join a backlog of clicks, and then clicks at a steady rate, and account for all of them.

    Raises:
        PeerError: if it joins nothing, or ends.
    """
    both = Both(load, int(RATE * (LEAD + seconds)))
    with runner.job(peer, load, linger_ms=0, span=load.span) as job, runner.process(peer, job) as process:
        samples = runner.watch(process, job, peer, START + START_PER_RECORD * load.records, load.results)
        figures = Figures.of(samples)
        sampler = Sampler(process.pid, runner.broker_pid)
        before = sampler.sample(0)
        with Reader(job.broker, job.joined, job.partitions, from_end=True) as reader:
            steady = latency.steady(job.broker, job.clicks, reader, RATE, seconds, lead=LEAD, users=load.users)
        after = sampler.sample(0)
        if steady is None:
            raise PeerError(f"{job.group} joined none of the steady clicks; its log: {runner.log(job)}")
        stored = stored_bytes(runner.broker_pid, job.joined)
        unmatched = runner.topics.total(f"{job.prefix}unmatched_clicks")
        output = runner.topics.read(job.joined, job.partitions)
        checked = check(both, ((message.key(), message.value()) for message in output))
        if not checked.ok or unmatched:
            print(f"{checked}, {unmatched:,} unmatched; the log of {job.group}: {runner.log(job)}", flush=True)
    return Point(
        value=label,
        per_s=figures.per_s,
        cpu_us=figures.steady_cpu_us,
        peak_mb=max(figures.peak_mb, after.memory / 1e6),
        times=steady.times,
        steady_cpu_us=(after.cpu - before.cpu) / both.steady * 1e6,
        steady_broker_us=(after.broker_cpu - before.broker_cpu) / both.steady * 1e6,
        stored_bytes=stored / both.results,
        output=str(checked) if not unmatched else f"{checked}; {unmatched:,} unmatched",
    )


def detection(
    runner: Runner, peer: Streamapp, timeout: float, label: str, ways: Collection[str] = (FROZEN, KILLED)
) -> Detection:
    """Have a worker of two be gone amid a load: frozen first, until the other one has its partitions; then killed.

    Raises:
        PeerError: if nobody goes on.
    """
    found = {}
    with two_workers(runner, peer, ROWS, seconds=len(ways) * (2 * timeout + PATIENCE)) as pair:
        if FROZEN in ways:
            pair.workers[0].send_signal(signal.SIGSTOP)
            found[FROZEN] = pair.goes_on(timeout + PATIENCE)
            starts = [pair.starts(worker) for worker in (0, 1)]
            pair.workers[0].send_signal(signal.SIGCONT)
            wait_for(
                lambda: pair.shared() and all(pair.starts(worker) > starts[worker] for worker in (0, 1)),
                timeout + PATIENCE,
                f"the frozen worker of {pair.job.group} has got no partitions again",
            )
            pair.goes_on(PATIENCE)
        if KILLED in ways:
            pair.workers[1].kill()
            found[KILLED] = pair.goes_on(timeout + PATIENCE)
    return Detection(label, found)


@dataclasses.dataclass(frozen=True)
class Both:
    """A backlog of clicks, and behind it so many at a steady rate (`latency.produce_steadily`)."""

    backlog: Workload
    steady: int

    @property
    def results(self) -> int:
        """Each click has one."""
        return self.backlog.clicks + self.steady

    def result(self, key: bytes | None, value: bytes | None) -> int | None:
        """Give the number of the click, those of the backlog first; None = it is none of them, or joined wrongly."""
        if value is None or b'"sent_at"' not in value:
            return self.backlog.result(key, value)
        result = orjson.loads(value)
        user = result["click"]["user_id"]
        number = int(result["click"]["click_id"])
        profile = orjson.loads(self.backlog.profile(int(user.removeprefix("u"))))
        right = key == user.encode() and result["profile"] == profile and 0 <= number < self.steady
        return self.backlog.clicks + number if right else None


@dataclasses.dataclass(frozen=True)
class TunedStreamapp(Streamapp):
    """The same app with options that it has no settings for (`programs/streamapp/tuned.py`)."""

    def command(self, job: Job) -> list[str]:
        """Give the command that starts a worker."""
        return [f"{self.bin}/faust", "-A", "tuned", "worker", "-l", "info"]

    def environment(self, job: Job) -> dict[str, str]:
        """Give the settings, and where the program is."""
        return {**super().environment(job), "PYTHONPATH": f"{PROGRAMS / 'streamapp'}"}
