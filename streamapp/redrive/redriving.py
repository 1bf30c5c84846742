"""Redriving: letters of a topic, from being picked to being sent."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec
from confluent_kafka import KafkaException, TopicCollection

from streamapp.errors import StreamappError
from streamapp.kafka.admin import Cluster
from streamapp.kafka.log_reader import Log, Logged
from streamapp.kafka.partition import TP
from streamapp.mending import MendError, Mending
from streamapp.redrive.drafts import FormatsOf, Opening, Outgoing, mended, opened
from streamapp.redrive.ledger import Ledger
from streamapp.redrive.letters import Letter, NoLetterError, Place, letter_of
from streamapp.redrive.selection import Selection
from streamapp.redrive.sending import AT_ONCE, Sender, place_of
from streamapp.settings import DEAD_LETTERS, Settings

__all__ = ["RedriveError", "Redriving", "Refused", "Report", "ranges"]

#: Seconds after which a broker that sends nothing more does not answer.
PATIENCE_S: Final = 30.0
ANSWER_S: Final = 30.0
#: Records that are read in vain rather than that the broker is asked once more.
NEAR: Final = 1_000
#: How internal topics end whose records are no records that came, but what is asked of them, and answered.
QUESTIONS: Final = ("-questions", "-answers", "-subscriptions")


class RedriveError(StreamappError):
    """Letters that cannot be sent once more; the text is one line that says why."""


class Report(msgspec.Struct):
    """What became of letters: those that were picked are sent, skipped since they were sent before, refused, or left.

    `mended` is how many of those that are sent, or would be, are other records now.
    """

    picked: int = 0
    mended: int = 0
    sent: int = 0
    skipped: int = 0
    refused: int = 0


@dataclasses.dataclass(frozen=True)
class Refused:
    """A letter that is not sent, and why."""

    letter: Letter | None
    why: str


class Redriving:
    """Picks the letters of a topic, mends them, and sends them.

    Args:
        settings: of the app.
        topic: that of the letters, by its full name or that without the prefix.
        selection: which of them.
        mending: what is done to each.
        formats: what the topics have that their records are from.
        tell: is called with each letter that is refused.

    Raises:
        RedriveError: if there is no such topic.
        StreamappError: by all methods, if the broker does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        selection: Selection,
        mending: Mending,
        formats: FormatsOf,
        tell: Callable[[Refused], None],
    ) -> None:
        self._settings = settings
        self._selection = selection
        self._mending = mending
        self._formats = formats
        self._tell = tell
        self._cluster = Cluster(settings)
        self._counts: Mapping[str, int] = self._cluster.listed([])
        if (found := settings.known_topic(topic, self._counts)) is None:
            raise RedriveError(
                f"there is no topic {topic} at {settings.broker}, and so nothing that could be sent again"
            )
        self.topic = found
        self.ledger = Ledger(settings, found, self._topic_id())
        self.ledger.read()
        self.report = Report()
        #: What was picked so far, by `Letter.identity`.
        self._seen: set[str] = set()
        #: How many were picked, by the topic that they are from and the reason.
        self.reasons: Counter[tuple[str, str]] = Counter()

    def pick(self) -> Iterator[tuple[Opening, Outgoing]]:
        """Go through the letters that are meant and were not sent, as they are and as they are mended.

        They come as they are in their topic up to where it ends by now: what is refused again is not picked again.
        """
        tps = [TP(self.topic, number) for number in range(self._counts[self.topic])]
        with Log(self._settings, PATIENCE_S) as log, Log(self._settings, PATIENCE_S) as origins:
            records = log.between(log.bounds(tps))
            while some := list(islice(records, AT_ONCE)):
                letters = list(self._letters(some))
                found = self._originals(origins, [one for one in letters if self._looked_up(one)])
                for one in letters:
                    letter, missing = self._original(one, found) if self._looked_up(one) else (one, "")
                    opening = opened(letter, self._formats(letter.source.topic))
                    if self._selection.takes_opened(opening):
                        yield from self._picked(opening, missing)

    def _letters(self, records: Iterable[Logged]) -> Iterator[Letter]:
        """Go through the letters that may be meant; what is no letter is refused."""
        for record in records:
            try:
                letter = letter_of(record)
            except NoLetterError as exc:
                self.report.picked += 1
                self._refuse(None, str(exc))
            else:
                if self._selection.takes(letter):
                    yield letter

    def _looked_up(self, letter: Letter) -> bool:
        """Return whether a letter does not have its record as it came."""
        return not letter.whole or self.topic != self._settings.topic(DEAD_LETTERS)

    def _picked(self, opening: Opening, missing: str) -> Iterator[tuple[Opening, Outgoing]]:
        letter, report = opening.letter, self.report
        report.picked += 1
        self.reasons[letter.source.topic, letter.reason] += 1
        if self.ledger.has(letter) or letter.identity in self._seen:
            report.skipped += 1
        elif why := missing or self._unfit(letter):
            self._refuse(letter, why)
        else:
            try:
                outgoing = mended(opening, self._mending)
            except MendError as exc:
                self._refuse(letter, str(exc))
            else:
                self._seen.add(letter.identity)
                report.mended += outgoing.is_mended
                yield opening, outgoing

    def _unfit(self, letter: Letter) -> str:
        """Return why a letter has no place to go to; empty = it has one."""
        topic = letter.source.topic
        if letter.source.offset < 0 and letter.value is None:
            return "it is of no record, but of a timer or of a result without a value"
        if topic.startswith(f"{self._settings.id}-") and topic.endswith(QUESTIONS):
            return f"{topic} is between agents of the app: produce the record again"
        if topic == self.topic or topic not in self._counts:
            return f"there is no topic {topic} that it could go to"
        return ""

    def _refuse(self, letter: Letter | None, why: str) -> None:
        self.report.refused += 1
        self._tell(Refused(letter, why))

    def _originals(self, log: Log, letters: Iterable[Letter]) -> Mapping[Place, Logged]:
        """Read the records that letters are of, as far as something is at their places still."""
        wanted: defaultdict[TP, set[int]] = defaultdict(set)
        for source in (letter.source for letter in letters):
            if source.offset >= 0 and source.partition < self._counts.get(source.topic, 0):
                wanted[source.tp].add(source.offset)
        left = {tp: ranges(sorted(offsets)) for tp, offsets in wanted.items()}
        found: dict[Place, Logged] = {}
        while left:
            for record in log.between({tp: some.pop() for tp, some in left.items()}):
                if record.offset in wanted[record.tp]:
                    found[Place(*record.tp, record.offset)] = record
            left = {tp: some for tp, some in left.items() if some}
        return found

    def _original(self, letter: Letter, found: Mapping[Place, Logged]) -> tuple[Letter, str]:
        """Return a letter with the record that it is of, if that was found; and what is missing if not."""
        source = letter.source
        if (record := found.get(source)) is not None and letter.is_of(record):
            return letter.as_it_came(record), ""
        if letter.value is None and not letter.whole:
            return letter, f"its value was too large to be kept, and {source} is no more"
        if letter.made:
            return letter, f"{letter.place} is what an agent has made of {source}, which is no more"
        return letter, ""

    def send(self, picked: Iterable[Outgoing]) -> None:
        """Send records, but for those whose letters somebody else has sent meanwhile."""
        self.ledger.make(self._cluster)
        with Sender(self._settings, self._cluster, self.ledger) as sender:
            self.ledger.read()
            left = iter(picked)
            while some := list(islice(left, AT_ONCE)):
                self._send(sender, some)

    def _send(self, sender: Sender, some: Sequence[Outgoing]) -> None:
        new = [one for one in some if not self.ledger.has(one.letter)]
        arrived = {letter.identity for letter in self.ledger.arrived(one.letter for one in new)}
        there = [one for one in new if one.letter.identity in arrived]
        going = [
            (one, place_of(one, self._counts[one.letter.source.topic]))
            for one in new
            if one.letter.identity not in arrived
        ]
        if new:
            sender.send(going, there)
            self.ledger.add(one.letter for one in new)
        self.report.sent += len(going)
        self.report.skipped += len(some) - len(going)

    def _topic_id(self) -> str:
        """Return the id of the topic of the letters."""
        asked = self._cluster.admin.describe_topics(TopicCollection([self.topic]), request_timeout=ANSWER_S)
        try:
            return str(asked[self.topic].result(ANSWER_S).topic_id)
        except KafkaException as exc:
            raise RedriveError(f"{self.topic}: {exc.args[0].str()}") from None


def ranges(offsets: Sequence[int]) -> list[tuple[int, int]]:
    """Return from and up to which offsets to read, the last first, to get those that are wanted, given in order."""
    found: list[tuple[int, int]] = []
    for offset in offsets:
        begin = found.pop()[0] if found and offset - found[-1][1] < NEAR else offset
        found.append((begin, offset + 1))
    return found[::-1]
