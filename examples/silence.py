"""Machines that have fallen silent: timers by event time, and by the wall clock for when nothing comes at all.

Run it:       faust -A examples.silence worker -l info
Send:         echo '{"machine": "m1", "at": "2026-01-01T12:00:00Z"}' | streamapp produce beats --key machine --timestamp at
              echo '{"machine": "m2", "at": "2026-01-01T12:00:11Z"}' | streamapp produce beats --key machine --timestamp at
What it gives: silent_machines has {"machine": "m1", "since": …, "clock": "event"}, if both are in one partition: by the
              time of m2 nothing has come of m1 for 10 s. Three seconds later it has m2, with "clock": "wall".
"""  # noqa: E501 - commands are to be copied

from __future__ import annotations

from typing import Any

from streamapp import App, Context, Timer, TypedRecord


def heard(beat: TypedRecord[Any], machine: Context[int]) -> None:
    """Set both timers anew."""
    machine.state = max(machine.state, beat.timestamp)
    machine.set_timer(at=machine.state + 10_000)
    machine.set_wall_timer(after="3s")


def silent(timer: Timer, machine: Context[int]) -> None:
    """Tell it once, by the clock that was the first."""
    machine.cancel_timer()
    clock = "wall" if timer.wall else "event"
    machine.emit({"machine": timer.key.decode(), "since": machine.state, "clock": clock})


app = App("silence")

app.topic("beats", create=True).process(heard, state=int, on_timer=silent).to("silent_machines")
