"""A function with a state: called for each record of a key with the state of that key, and for the key's timers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeVar

import msgspec

from streamapp.functions.context import Context, Emitted, Timer
from streamapp.functions.failure import refusal
from streamapp.functions.record import TypedRecord, typed
from streamapp.functions.state_type import StateType
from streamapp.functions.states import States
from streamapp.functions.timers import Timers
from streamapp.joins.clock import END
from streamapp.joins.corrections import mark_of
from streamapp.joins.declared import Declared, Described, StateMismatch, changes, earlier
from streamapp.joins.explanation import Explanation, Verdict, unusable
from streamapp.joins.held import Held, Holding
from streamapp.joins.ledger import Accounting, Refused
from streamapp.joins.output import Output, Reason, SideOutput
from streamapp.joins.records import Batch, Event, Record
from streamapp.joins.state import State
from streamapp.windows.aggregate import Value

__all__ = ["OnTimer", "Process", "ProcessOperator", "Processing"]

S = TypeVar("S")
V = TypeVar("V")

#: Is called for each record.
Processing = Callable[[TypedRecord[V], Context[S]], None]
#: Is called for a timer that is over.
OnTimer = Callable[[Timer, Context[S]], None]

Function = Callable[[Value, Context[S]], object]

#: How often (ms) it is looked whether a timer of the wall clock is over.
TICK_MS: Final = 200

_decode: Final = msgspec.json.Decoder().decode


def _json(record: Record) -> Value:
    """Return the value of a record, which is JSON.

    Raises:
        Refused: if it is not.
    """
    try:
        return _decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Refused(str(exc), "not_json") from None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Process(Described, Generic[S]):
    """Calls a function for each record, with the state of its key.

    Args:
        function: is called with the record and the context, which has the state.
        state: the type of the state of a key, which msgspec can write.
        initial: makes the state of a key that has none; None = the type itself, without arguments.
        on_timer: is called for timers that are over; None = there are none.
        ttl: how long (ms of event time) a state lives after its last change; None = for ever.
        grace: how far (ms) a record may be behind the clock, and timers of event time are over so much later; None = no
            record is late.
        sides: the side outputs that there are; None = any.
        decode: gives the value of a record that is not decoded yet.
        stop: whether an error of the functions goes on up; otherwise the record, or the timer, is rejected.

    Raises:
        ValueError: for a state that cannot be written, and for durations that are less than nothing.
    """

    function: Processing[Value, S]
    state: type[S]
    initial: Callable[[], S] | None = None
    on_timer: OnTimer[S] | None = None
    ttl: int | None = None
    grace: int | None = None
    sides: AbstractSet[str] | None = None
    decode: Callable[[Record], Value] = _json
    stop: bool = False
    #: Tells the type of the state.
    form: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", self.form or self.type_.form)
        if self.ttl is not None and self.ttl <= 0:
            raise ValueError(f"the ttl must be more than nothing, but is {self.ttl} ms")
        if self.grace is not None and self.grace < 0:
            raise ValueError(f"the grace must not be negative, but is {self.grace} ms")

    @property
    def type_(self) -> StateType[S]:
        """How states are written."""
        return StateType(self.state, self.initial)

    @property
    def tick(self) -> int | None:
        """How often (ms) it wants to be called without a record."""
        return None if self.on_timer is None else TICK_MS

    def start(self, state: State) -> ProcessOperator[S]:
        """Begin, or go on, with what the state holds."""
        return ProcessOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared.of("a process", self, "form", "ttl", "grace")

    def take_over(self, was: Process[S]) -> list[str]:
        """Return what may be missing in the results after the state of another process is taken over."""
        notes = []
        if was.form != self.form:
            notes.append(f"state {was.form} → {self.form}: fields that it does not have any more are gone")
        if was.ttl != self.ttl:
            notes.append(f"{changes(was, self, 'ttl')}: what was deleted before stays deleted")
        return notes


class ProcessOperator(Accounting[Emitted], Generic[S]):
    """A function with a state at work on one partition.

    All records count in its balance; one is matched when the function was called for it.
    """

    def __init__(self, join: Process[S], state: State) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        self._wall = state.wall
        self._states = States(state.section(b"states/"), join.type_, join.ttl)
        self._timers = Timers(state.section(b"timers/"), wall=False)
        self._wall_timers = Timers(state.section(b"wall-timers/"), wall=True)
        self._context: Context[S] = Context(join.sides, timers=join.on_timer is not None)
        if was.form != join.form:
            self._states.check()
        if join.on_timer is None and (self._timers or self._wall_timers):
            raise StateMismatch("it has timers, and there is nothing to call when they are over: on_timer=…")

    @property
    def waits(self) -> bool:
        """Whether something waits for the event clock: a timer."""
        return bool(self._timers)

    @property
    def due(self) -> bool:
        """Whether something is due by the wall clock."""
        return self._wall_timers.first <= self._wall.time

    def process(self, batch: Batch) -> Output[Emitted]:
        """Call the function for records, and for timers that are over: before the first record that is later."""
        self._ring()
        join, clock, count = self.join, self.clock, 0
        for source, record in batch:
            count += 1
            if record.value is None:
                self._reject(source, record, Reason.NULL_VALUE)
            elif (
                join.grace is not None
                and (late_by := clock.time - join.grace - record.timestamp) > 0
                and mark_of(record) is None  # the state of its key is there
            ):
                self._ledger.late(self.balance, source, _origin(record), late_by)
            elif record.key is None:
                self._reject(source, record, Reason.NULL_KEY)
            else:
                self._take(source, record.key, record)
        self.balance.received += count
        return self._close(count)

    def advance(self, to: int) -> Output[Emitted]:
        """Move the clock on to an event time (ms); to its end, no timer is called that is set meanwhile."""
        self._ring()
        self.clock.advance(to)
        if to < END:
            self._fire()
        else:
            over = list(iter(lambda: self._timers.take(END), None))
            for timer in over:
                self._over(timer)
        return self._close(0)

    def explain(self, source: int, record: Record) -> Explanation:
        """Say what became of a record that was taken in, as far as the side outputs tell."""
        clock, grace = self.clock, self.join.grace
        if record.key is None or record.value is None:
            return unusable(record, clock, grace)
        in_time = grace is None or record.timestamp >= clock.time - grace
        return Explanation(
            verdict=Verdict.OVER,
            clock=clock.now,
            grace=grace,
            untold=Verdict.PROCESSED,
            reasons=frozenset({Reason.REFUSED} if in_time else {Reason.LATE, Reason.REFUSED}),
        )

    def held(self, key: bytes) -> list[Held]:
        """Return the state of a key, and its timers."""
        found = self._states.look(key, self.clock.time)
        state = [] if found is None else [Held(0, Holding.STATE, found[0], self.join.type_.as_json(found[1]))]
        timers = [*self._timers.of(key), *self._wall_timers.of(key)]
        kinds = {False: Holding.TIMER, True: Holding.WALL_TIMER}
        return [*state, *(Held(0, kinds[one.wall], one.time, msgspec.json.encode(one.name)) for one in timers)]

    def _take(self, source: int, key: bytes, record: Record) -> None:
        try:
            one = record if isinstance(record, TypedRecord) else typed(record, self.join.decode(record))
        except Refused as undecodable:
            self._reject(source, record, Reason.REFUSED, undecodable)
            return
        self.clock.advance(record.timestamp)
        self._fire()
        self._context.begin(key, one)
        refused = self._call(self.join.function, one, source, record.timestamp)
        if refused is None:
            self.balance.matched += 1
            self._fire()
        else:
            self._reject(source, record, Reason.REFUSED, refused)

    def _fire(self) -> None:
        """Call the timers of event time that are over."""
        before = self.clock.time - (self.join.grace or 0)
        if self._timers.first < before:
            while (timer := self._timers.take(before)) is not None:
                self._over(timer)

    def _ring(self) -> None:
        """Call those of the wall clock."""
        if self.due:
            while (timer := self._wall_timers.take(self._wall.time + 1)) is not None:
                self._over(timer)

    def _over(self, timer: Timer) -> None:
        # What comes of a wall time, and had it for its event time, would make later records late for whoever reads it.
        time = self.clock.now if timer.wall and self.clock.now is not None else timer.time
        self._context.begin(timer.key, TypedRecord(timer.key, None, time), timer)
        refused = self._call(self.join.on_timer, timer, 0, time)
        if refused is not None:
            self._ledger.tell(
                SideOutput(
                    Reason.REFUSED,
                    0,
                    Event(timer.key, None, timer.time),
                    detail=f"the timer {timer.name!r}: {refused}",
                    cause=refused.cause,
                    rejected=True,
                    traceback=getattr(refused, "traceback", ""),
                )
            )

    def _call(self, function: Function[S] | None, about: Value, source: int, time: int) -> Refused | None:
        """Call a function; what it raises is returned, and then it has done nothing."""
        context = self._context
        context.clock, context.wall_clock = self.clock.time, self._wall.time
        held = self._states.get(context.key, self.clock.time)
        context.state = held.state
        try:
            _emits(function and function(about, context))
            self._states.done(context.key, held, context.state, time)
        except Exception as error:
            self._states.undo(held)
            if self.join.stop and not isinstance(error, Refused):
                raise
            return refusal(error)
        for wall, name, at in context.changes:
            timers = self._wall_timers if wall else self._timers
            if at is None:
                timers.cancel(context.key, name)
            else:
                timers.set(context.key, name, at)
        if context.emitted:
            home = context.key
            self._ledger.results += [Emitted(record, home, side, source) for side, record in context.emitted]
        return None

    def _reject(self, source: int, record: Record, reason: Reason, detail: object = "") -> None:
        self._ledger.rejected(self.balance, source, _origin(record), reason, detail)

    def _close(self, count: int) -> Output[Emitted]:
        self._states.write(self.clock.time, count)
        self._timers.write()
        self._wall_timers.write()
        return self._ledger.close()


def _origin(record: Record) -> Record:
    """Return the record of the topic, of one whose value is decoded."""
    return record.origin or record if isinstance(record, TypedRecord) else record


def _emits(returned: object) -> None:
    """Make sure that a function has returned nothing."""
    if returned is not None:
        raise TypeError(f"results are given by context.emit(…), and not returned: {returned!r}")
