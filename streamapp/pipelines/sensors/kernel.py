"""The detector itself, a reading at a time: plain Python, and what numba compiles.

`streamapp.pipelines.sensors.vectors` is the same for whole arrays. Both do the same operations on the same numbers in
the same order, so their results are the same to the last bit; a test holds that.

The columns and bits are here, and plain integers: compiled code has them for constants, and numba keeps it for as long
as this file stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import Final, TypeAlias

__all__ = [
    "BIN",
    "BIN_COUNT",
    "BIN_SUM",
    "CLOCK",
    "COLUMNS",
    "COUNT",
    "DEVIATION",
    "EVIDENCE",
    "EXPECTED",
    "GOING_ON",
    "HEARD",
    "INTERVAL",
    "JUMP",
    "LATE",
    "MAD",
    "MEAN",
    "MEDIAN",
    "OUTLIER",
    "RATE2",
    "RESIDUAL2",
    "RESIDUALS",
    "RUN",
    "SEASON",
    "SEASON_LEARNED",
    "SILENT",
    "SINCE",
    "STUCK",
    "TIME",
    "TOLD",
    "VALUE",
    "VAR",
    "judge",
]

#: A row of what is known of a device: how many readings it has learned from;
COUNT: Final = 0
#: the event time (ms) of its last reading, and the event clock of the partition when that came;
TIME: Final = 1
HEARD: Final = 2
#: its value, since when (ms) it is the same, and for how many readings;
VALUE: Final = 3
SINCE: Final = 4
RUN: Final = 5
#: the moving mean and variance;
MEAN: Final = 6
VAR: Final = 7
#: the moving median, and the median of the distances from it;
MEDIAN: Final = 8
MAD: Final = 9
#: the mean square of how fast the value changes (a second), and the moving median of the times (ms) between readings;
RATE2: Final = 10
INTERVAL: Final = 11
#: the mean square of the distances from what the season lets expect, and of how many readings;
RESIDUAL2: Final = 12
RESIDUALS: Final = 13
#: the part of the season that is under way, and the sum and number of the values in it so far;
BIN: Final = 14
BIN_SUM: Final = 15
BIN_COUNT: Final = 16
#: and the anomalies that are going on, as bits.
GOING_ON: Final = 17
COLUMNS: Final = 18

#: Bits of what is found in a reading: the kinds of anomalies,
DEVIATION: Final = 1
OUTLIER: Final = 2
JUMP: Final = 4
STUCK: Final = 8
SEASON: Final = 16
SILENT: Final = 32
#: all that are told,
TOLD: Final = 63
#: that it is older than the one before, and counts nowhere,
LATE: Final = 64
#: and that a part of the season is over.
SEASON_LEARNED: Final = 128

#: Columns of the evidence go by those of what was known before the reading (`TIME` to `RATE2`, and so on), and these:
EXPECTED: Final = 18
CLOCK: Final = 19
EVIDENCE: Final = 20

Row: TypeAlias = MutableSequence[float]


def judge(
    devices: Sequence[Row],
    seasons: Sequence[Row],
    slots: Sequence[int],
    times: Sequence[float],
    values: Sequence[float],
    clocks: Sequence[float],
    limits: Sequence[float],
    found: MutableSequence[int],
    evidence: Sequence[Row],
) -> None:
    """Judge readings in the order in which they came, and learn from them.

    It is one function, since numba compiles it as it stands.

    Args:
        devices: what is known of each device, a row of `COLUMNS`; changed.
        seasons: of each device, what is expected in each part of its season, and how often each was passed; changed.
        slots: the rows of the readings' devices.
        times: the readings' event times (ms).
        values: what was read.
        clocks: the event clock (ms) of the partition with each of them.
        limits: `Limits.packed`.
        found: gets the bits of what was found in each reading.
        evidence: gets, of each reading with an anomaly, what was known of its device before it, what the season let
            expect, and the clock.
    """
    deviation, outlier, jump, stuck, season, silence = limits[0], limits[1], limits[2], limits[3], limits[4], limits[5]
    gain, memory, resolution, period = limits[6], limits[7], limits[8], limits[9]
    clip, season_clip, passes, season_gain, slow = limits[10], limits[11], limits[12], limits[13], limits[14]
    for number in range(len(slots)):
        slot, time, value = slots[number], times[number], values[number]
        row, expectations = devices[slot], seasons[slot]
        if time < row[TIME]:
            found[number] = LATE
            evidence[number][TIME] = row[TIME]
            continue
        clock, count, bits, expected = clocks[number], row[COUNT], 0, math.nan
        going_on = int(row[GOING_ON])
        # What it is to be judged by is what was known before it.
        deviation_now = max(math.sqrt(row[VAR]), resolution)
        spread_now = max(1.4826 * row[MAD], resolution)
        rate_now = max(math.sqrt(row[RATE2]), resolution)
        from_mean, from_median = value - row[MEAN], value - row[MEDIAN]
        interval = max(time - row[TIME], max(row[INTERVAL], 1.0)) if count > 0 else 1.0
        rate = (value - row[VALUE]) * 1000.0 / interval if count > 0 else 0.0
        same = count > 0 and abs(value - row[VALUE]) <= resolution
        run = row[RUN] + 1.0 if same else 1.0
        since = row[SINCE] if same else time
        if count >= memory:
            # What goes on is over when it is less than half of what it takes to begin.
            limit = 0.5 * deviation if going_on & DEVIATION else deviation
            if deviation > 0 and abs(from_mean) > limit * deviation_now:
                bits |= DEVIATION
            limit = 0.5 * outlier if going_on & OUTLIER else outlier
            if outlier > 0 and abs(from_median) > limit * spread_now:
                bits |= OUTLIER
            limit = 0.5 * jump if going_on & JUMP else jump
            if jump > 0 and abs(rate) > limit * rate_now:
                bits |= JUMP
        unusual = bits != 0
        if stuck > 0 and run > 2.0 and time - since >= stuck:
            bits |= STUCK
        learned, part, left, bins = 0, 0, -1, len(expectations) // 2
        residual, residual_now = 0.0, resolution
        if period > 0:
            phase = (time % period) / period * bins
            part = min(int(phase), bins - 1)
            # Between the middles of two parts, what is expected goes from the one's to the other's.
            place = phase - 0.5 if phase >= 0.5 else phase - 0.5 + bins
            left = min(int(place), bins - 1)
            right = left + 1 if left + 1 < bins else 0
            if expectations[bins + left] >= passes and expectations[bins + right] >= passes:
                share = place - left
                expected = expectations[left] + share * (expectations[right] - expectations[left])
                residual = value - expected
                residual_now = max(math.sqrt(row[RESIDUAL2]), resolution)
                limit = 0.5 * season if going_on & SEASON else season
                if season > 0 and row[RESIDUALS] >= memory and abs(residual) > limit * residual_now:
                    bits |= SEASON
            else:
                left = -1
        begun = bits & ~going_on
        if silence > 0 and count > 0 and not going_on & SILENT and clock - row[HEARD] > silence:
            begun |= SILENT
        if begun:
            for column in range(COLUMNS):
                evidence[number][column] = row[column]
            evidence[number][EXPECTED] = expected
            evidence[number][CLOCK] = clock
        # From here on it is learned from.
        if count > 0 and (not same or run < 3.0):
            share = max(gain, 1.0 / (count + 1.0))
            # At first, little is known of what is usual: ten readings are taken as they are, the next ones almost so.
            loose = 1.0 if count >= memory else (2.5 if count >= 10.0 else math.inf)
            bound = loose * (clip * deviation_now)
            step = min(max(from_mean, -bound), bound)
            row[MEAN] = row[MEAN] + share * step
            row[VAR] = (1.0 - share) * (row[VAR] + share * (step * step))
            away = abs(from_median)
            if count >= memory:
                move = gain * max(row[MAD], resolution)
                row[MEDIAN] = row[MEDIAN] + (move if from_median > 0 else (-move if from_median < 0 else 0.0))
                row[MAD] = row[MAD] + move if away > row[MAD] else row[MAD] - gain * row[MAD]
            else:
                row[MEDIAN] = row[MEDIAN] + min(max(from_median, -bound), bound) / (count + 1.0)
                row[MAD] = row[MAD] + (min(away, bound) - row[MAD]) / (count + 1.0)
            bound = loose * (clip * rate_now)
            step = min(max(rate, -bound), bound)
            row[RATE2] = row[RATE2] + share * (step * step - row[RATE2])
            elapsed, usual = time - row[TIME], max(row[INTERVAL], 1.0)
            # Towards the median, since one long pause says nothing of the others; at first in large steps.
            share = gain if count >= memory else 0.25
            if count == 1.0:
                row[INTERVAL] = elapsed
            elif elapsed != usual:
                row[INTERVAL] = usual * (1.0 + share) if elapsed > usual else usual * (1.0 - share)
        elif count == 0:
            row[MEAN] = value
            row[MEDIAN] = value
        if count == 0 or not same or run < 3.0:
            row[COUNT] = count + 1.0
        if period > 0:
            if row[BIN] != part:
                if row[BIN_COUNT] > 0:
                    before = int(row[BIN])
                    passed = expectations[bins + before]
                    mean = row[BIN_SUM] / row[BIN_COUNT]
                    share = max(season_gain, 1.0 / (passed + 1.0))
                    expectations[before] = expectations[before] + share * (mean - expectations[before])
                    expectations[bins + before] = passed + 1.0
                    learned = SEASON_LEARNED
                row[BIN] = part
                row[BIN_SUM] = 0.0
                row[BIN_COUNT] = 0.0
            if not unusual and not (same and run >= 3.0):
                taught = value
                if left >= 0:
                    if row[RESIDUALS] >= 10.0:
                        bound = season_clip * residual_now
                        residual = min(max(residual, -bound), bound)
                        taught = expected + residual
                    share = max(slow, 1.0 / (row[RESIDUALS] + 1.0))
                    row[RESIDUAL2] = row[RESIDUAL2] + share * (residual * residual - row[RESIDUAL2])
                    row[RESIDUALS] = row[RESIDUALS] + 1.0
                row[BIN_SUM] = row[BIN_SUM] + taught
                row[BIN_COUNT] = row[BIN_COUNT] + 1.0
        row[TIME] = time
        row[HEARD] = clock
        if not same:
            row[VALUE] = value
            row[SINCE] = time
        row[RUN] = run
        row[GOING_ON] = float(bits)
        found[number] = (begun & TOLD) | learned
