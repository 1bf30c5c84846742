"""The detector in numpy: of a batch first the first reading of each device, then the second of each, and so on."""

from __future__ import annotations

from typing import Final

import numpy as np

from streamapp.pipelines.sensors import plain
from streamapp.pipelines.sensors.arrays import Floats, Integers
from streamapp.pipelines.sensors.kernel import (
    BIN,
    BIN_COUNT,
    BIN_SUM,
    CLOCK,
    COLUMNS,
    COUNT,
    DEVIATION,
    EXPECTED,
    GOING_ON,
    HEARD,
    INTERVAL,
    JUMP,
    LATE,
    MAD,
    MEAN,
    MEDIAN,
    OUTLIER,
    RATE2,
    RESIDUAL2,
    RESIDUALS,
    RUN,
    SEASON,
    SEASON_LEARNED,
    SILENT,
    SINCE,
    STUCK,
    TIME,
    TOLD,
    VALUE,
    VAR,
)

__all__ = ["judge"]

#: Devices for which it is worth while to make arrays; the readings of fewer go one at a time.
FEWEST: Final = 32


def judge(
    devices: Floats,
    seasons: Floats,
    slots: Integers,
    times: Floats,
    values: Floats,
    clocks: Floats,
    limits: Floats,
    found: Integers,
    evidence: Floats,
) -> None:
    """Judge readings as `streamapp.pipelines.sensors.kernel.judge` does."""
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    nth = np.arange(len(ordered)) - np.repeat(first, np.diff(np.r_[first, len(ordered)]))
    sizes = np.bincount(nth)
    rounds = int(np.searchsorted(-sizes, -FEWEST, side="right"))  # they get smaller and smaller
    by_round = order[np.argsort(nth, kind="stable")]
    ends = np.cumsum(sizes)[:rounds]
    with np.errstate(invalid="ignore", over="ignore"):
        for numbers in np.split(by_round, ends)[:-1]:
            known = devices[slots[numbers], TIME]
            late = times[numbers] < known
            if late.any():
                found[numbers[late]] = LATE
                evidence[numbers[late], TIME] = known[late]
                numbers = numbers[~late]
            if len(numbers):
                _judge(devices, seasons, slots, times, values, clocks, limits, found, evidence, numbers)
    if len(rest := by_round[ends[-1] if rounds else 0 :]):
        bits, told = found[rest], evidence[rest]
        plain.judge(devices, seasons, slots[rest], times[rest], values[rest], clocks[rest], limits, bits, told)
        found[rest], evidence[rest] = bits, told


def _judge(
    devices: Floats,
    seasons: Floats,
    all_slots: Integers,
    times: Floats,
    values: Floats,
    clocks: Floats,
    limits: Floats,
    found: Integers,
    evidence: Floats,
    numbers: Integers,
) -> None:
    """Judge the readings of these numbers, each of another device."""
    deviation, outlier, jump, stuck, season, silence, gain, memory, resolution, period = limits[:10].tolist()
    clip, season_clip, passes, season_gain, slow = limits[10:].tolist()
    slots, time, value, clock = all_slots[numbers], times[numbers], values[numbers], clocks[numbers]
    row = devices[slots]
    count, going_on = row[:, COUNT], row[:, GOING_ON].astype(np.int64)
    bits = np.zeros(len(numbers), np.int64)
    seen, known = count > 0, count >= memory
    deviation_now = np.maximum(np.sqrt(row[:, VAR]), resolution)
    spread_now = np.maximum(1.4826 * row[:, MAD], resolution)
    rate_now = np.maximum(np.sqrt(row[:, RATE2]), resolution)
    from_mean, from_median = value - row[:, MEAN], value - row[:, MEDIAN]
    elapsed = np.where(seen, time - row[:, TIME], 0.0)
    interval = np.where(seen, np.maximum(elapsed, np.maximum(row[:, INTERVAL], 1.0)), 1.0)
    rate = np.where(seen, (value - row[:, VALUE]) * 1000.0 / interval, 0.0)
    same = seen & (np.abs(value - row[:, VALUE]) <= resolution)
    run = np.where(same, row[:, RUN] + 1.0, 1.0)
    since = np.where(same, row[:, SINCE], time)
    if deviation > 0:
        limit = np.where(going_on & DEVIATION, 0.5 * deviation, deviation)
        bits |= np.where(known & (np.abs(from_mean) > limit * deviation_now), DEVIATION, 0)
    if outlier > 0:
        limit = np.where(going_on & OUTLIER, 0.5 * outlier, outlier)
        bits |= np.where(known & (np.abs(from_median) > limit * spread_now), OUTLIER, 0)
    if jump > 0:
        limit = np.where(going_on & JUMP, 0.5 * jump, jump)
        bits |= np.where(known & (np.abs(rate) > limit * rate_now), JUMP, 0)
    usual = bits == 0
    if stuck > 0:
        bits |= np.where((run > 2.0) & (time - since >= stuck), STUCK, 0)
    expected = np.full(len(numbers), np.nan)
    residual, residual_now, judged = expected, expected, usual
    part = expected
    if period > 0:
        expectations = seasons[slots]
        bins, each = expectations.shape[1] // 2, np.arange(len(numbers))
        phase = (time % period) / period * bins
        part = np.minimum(phase.astype(np.int64), bins - 1)
        place = np.where(phase >= 0.5, phase - 0.5, phase - 0.5 + bins)
        left = np.minimum(place.astype(np.int64), bins - 1)
        right = np.where(left + 1 < bins, left + 1, 0)
        judged = (expectations[each, bins + left] >= passes) & (expectations[each, bins + right] >= passes)
        on_left = expectations[each, left]
        between = on_left + (place - left) * (expectations[each, right] - on_left)
        expected = np.where(judged, between, np.nan)
        residual = value - expected
        residual_now = np.maximum(np.sqrt(row[:, RESIDUAL2]), resolution)
        if season > 0:
            limit = np.where(going_on & SEASON, 0.5 * season, season)
            far = judged & (row[:, RESIDUALS] >= memory) & (np.abs(residual) > limit * residual_now)
            bits |= np.where(far, SEASON, 0)
    begun = bits & ~going_on
    if silence > 0:
        was_silent = seen & (going_on & SILENT == 0) & (clock - row[:, HEARD] > silence)
        begun |= np.where(was_silent, SILENT, 0)
    if (told := begun != 0).any():
        evidence[numbers[told], :COLUMNS] = row[told]
        evidence[numbers[told], EXPECTED] = expected[told]
        evidence[numbers[told], CLOCK] = clock[told]
    fresh = ~same | (run < 3.0)
    teaches = seen & fresh
    share = np.maximum(gain, 1.0 / (count + 1.0))
    loose = np.where(known, 1.0, np.where(count >= 10.0, 2.5, np.inf))
    bound = loose * (clip * deviation_now)
    step = np.minimum(np.maximum(from_mean, -bound), bound)
    mean = row[:, MEAN] + share * step
    var = (1.0 - share) * (row[:, VAR] + share * (step * step))
    away, mad = np.abs(from_median), row[:, MAD]
    move = gain * np.maximum(mad, resolution)
    median_moved = row[:, MEDIAN] + np.where(from_median > 0, move, np.where(from_median < 0, -move, 0.0))
    mad_moved = np.where(away > mad, mad + move, mad - gain * mad)
    median_mean = row[:, MEDIAN] + np.minimum(np.maximum(from_median, -bound), bound) / (count + 1.0)
    mad_mean = mad + (np.minimum(away, bound) - mad) / (count + 1.0)
    bound = loose * (clip * rate_now)
    step = np.minimum(np.maximum(rate, -bound), bound)
    rate2 = row[:, RATE2] + share * (step * step - row[:, RATE2])
    usual_interval, share = np.maximum(row[:, INTERVAL], 1.0), np.where(known, gain, 0.25)
    moved = np.where(elapsed > usual_interval, usual_interval * (1.0 + share), usual_interval * (1.0 - share))
    moved = np.where(elapsed == usual_interval, row[:, INTERVAL], moved)
    usual_interval = np.where(count == 1.0, elapsed, moved)
    row[:, MEAN] = np.where(teaches, mean, np.where(seen, row[:, MEAN], value))
    row[:, VAR] = np.where(teaches, var, row[:, VAR])
    row[:, MEDIAN] = np.where(
        teaches, np.where(known, median_moved, median_mean), np.where(seen, row[:, MEDIAN], value)
    )
    row[:, MAD] = np.where(teaches, np.where(known, mad_moved, mad_mean), mad)
    row[:, RATE2] = np.where(teaches, rate2, row[:, RATE2])
    row[:, INTERVAL] = np.where(teaches, usual_interval, row[:, INTERVAL])
    row[:, COUNT] = np.where(fresh, count + 1.0, count)
    learned = np.zeros(len(numbers), np.int64)
    if period > 0:
        over = row[:, BIN] != part
        passed = over & (row[:, BIN_COUNT] > 0)
        if passed.any():
            _pass(seasons, slots[passed], row[passed], season_gain)
            learned[passed] = SEASON_LEARNED
        row[:, BIN] = part
        row[over, BIN_SUM] = 0.0
        row[over, BIN_COUNT] = 0.0
        taught = usual & fresh
        judged &= taught
        bound = np.where(row[:, RESIDUALS] >= 10.0, season_clip * residual_now, np.inf)
        residual = np.minimum(np.maximum(residual, -bound), bound)
        lesson = np.where(judged & (row[:, RESIDUALS] >= 10.0), expected + residual, value)
        share = np.maximum(slow, 1.0 / (row[:, RESIDUALS] + 1.0))
        residual2 = row[:, RESIDUAL2] + share * (residual * residual - row[:, RESIDUAL2])
        row[:, RESIDUAL2] = np.where(judged, residual2, row[:, RESIDUAL2])
        row[:, RESIDUALS] = np.where(judged, row[:, RESIDUALS] + 1.0, row[:, RESIDUALS])
        row[:, BIN_SUM] = np.where(taught, row[:, BIN_SUM] + lesson, row[:, BIN_SUM])
        row[:, BIN_COUNT] = np.where(taught, row[:, BIN_COUNT] + 1.0, row[:, BIN_COUNT])
    row[:, TIME] = time
    row[:, HEARD] = clock
    row[:, VALUE] = np.where(same, row[:, VALUE], value)
    row[:, SINCE] = since
    row[:, RUN] = run
    row[:, GOING_ON] = bits
    devices[slots] = row
    found[numbers] = (begun & TOLD) | learned


def _pass(seasons: Floats, slots: Integers, row: Floats, season_gain: float) -> None:
    """Learn what is to be expected in the parts of the season that are over."""
    bins, part = seasons.shape[1] // 2, row[:, BIN].astype(np.int64)
    passed, before = seasons[slots, bins + part], seasons[slots, part]
    share = np.maximum(season_gain, 1.0 / (passed + 1.0))
    seasons[slots, part] = before + share * (row[:, BIN_SUM] / row[:, BIN_COUNT] - before)
    seasons[slots, bins + part] = passed + 1.0
