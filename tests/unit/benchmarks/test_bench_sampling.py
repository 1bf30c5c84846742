"""The figures that are made of samples, and what is seen of processes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

from benchmarks.sampling import CORES, Figures, ProcessTree, Sample

# Starts for two seconds with 2 s of CPU, gives 100 records in the next two seconds with 1 s of CPU, and lingers.
SAMPLES = [
    Sample(at=0.0, records=0, cpu=0.0, memory=1_000_000, broker_cpu=5.0, other_cpu=1.0),
    Sample(at=2.0, records=0, cpu=2.0, memory=9_000_000, broker_cpu=5.0, other_cpu=1.0),
    Sample(at=3.0, records=50, cpu=2.5, memory=7_000_000, broker_cpu=6.0, other_cpu=1.0),
    Sample(at=4.0, records=100, cpu=3.0, memory=8_000_000, broker_cpu=7.0, other_cpu=1.0),
    Sample(at=5.0, records=100, cpu=3.5, memory=8_000_000, broker_cpu=8.0, other_cpu=1.0),
]


def test_the_rate_leaves_the_start_up_and_the_end_out() -> None:
    assert Figures.of(SAMPLES).per_s == 50.0


def test_the_rate_from_the_start_has_the_start_up_in_it() -> None:
    assert Figures.of(SAMPLES).total_per_s == 25.0


def test_the_steady_rate_is_that_between_a_tenth_and_nine_tenths_of_the_records() -> None:
    slow_ends = [SAMPLES[0], dataclasses.replace(SAMPLES[1], at=-98.0), SAMPLES[2], SAMPLES[3]]
    assert Figures.of(SAMPLES).steady_per_s == pytest.approx(50.0)
    assert Figures.of(slow_ends).steady_per_s < 1.0


def test_the_start_up_ends_with_the_last_sample_without_a_record() -> None:
    assert Figures.of(SAMPLES).start_up == 2.0


def test_cpu_is_counted_from_the_start_to_the_last_record() -> None:
    figures = Figures.of(SAMPLES)
    assert figures.cpu_us == 30_000.0
    assert figures.broker_us == 20_000.0


def test_steady_cpu_leaves_the_start_up_out() -> None:
    assert Figures.of(SAMPLES).steady_cpu_us == pytest.approx(10_000.0)


def test_the_peak_is_the_most_memory_of_any_sample() -> None:
    assert Figures.of(SAMPLES).peak_mb == 9.0


def test_the_cpu_of_others_is_a_share_of_the_machine_until_the_last_record() -> None:
    busy = [dataclasses.replace(sample, other_cpu=100.0 + sample.at * CORES / 4) for sample in SAMPLES]
    assert Figures.of(busy).others == pytest.approx(0.25)


def test_records_that_all_came_within_one_sample_have_a_rate() -> None:
    assert Figures.of([SAMPLES[0], SAMPLES[3]]).per_s == 25.0


def test_the_median_is_taken_of_each_figure_on_its_own() -> None:
    one = Figures.of(SAMPLES)
    runs = [
        dataclasses.replace(one, per_s=rate, peak_mb=peak) for rate, peak in ((1.0, 30.0), (2.0, 10.0), (9.0, 20.0))
    ]
    median = Figures.median(runs)
    assert (median.per_s, median.peak_mb, median.start_up) == (2.0, 20.0, 2.0)


def test_a_tree_has_the_memory_of_its_children() -> None:
    alone = ProcessTree(os.getpid()).usage()[1]
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert ProcessTree(os.getpid()).usage()[1] > ProcessTree(child.pid).usage()[1] > 0
        assert ProcessTree(os.getpid()).usage()[1] > alone
        child.communicate(b"\n")


def test_a_tree_keeps_the_cpu_of_a_process_that_has_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(sum(range(3_000_000)), flush=True); input()"], stdin=-1, stdout=-1
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        tree = ProcessTree(child.pid)
        used = tree.usage()[0]
        child.communicate(b"\n")
    assert used > 0
    assert tree.usage() == (used, 0)
