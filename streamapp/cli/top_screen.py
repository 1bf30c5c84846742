"""The screen of ``streamapp top``: a table that is asked for again and again, sorted and filtered by keys."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static

from streamapp.cli.group_report import HEADS, Order, Report, age, head, rows
from streamapp.errors import StreamappError

__all__ = ["Screen"]

#: Partitions that are shown; the first ones, as they are sorted.
SHOWN: Final = 200


class Screen(App[None]):
    """Shows the group.

    Args:
        ask: returns how it stands now; a StreamappError if no worker tells.
        interval: seconds between two questions.
        order: what goes first.
        wanted: what the topic or the owner of a partition has to have in it.
    """

    CSS = "#head { height: auto; } Input { display: none; } Input.open { display: block; } DataTable { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "sort('lag')", "lag"),
        Binding("a", "sort('age')", "age"),
        Binding("t", "sort('topic')", "topic"),
        Binding("o", "sort('owner')", "owner"),
        Binding("slash", "filter", "filter"),
        Binding("q", "quit", "quit"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, ask: Callable[[], Awaitable[Report]], *, interval: float, order: Order = Order.LAG, wanted: str = ""
    ) -> None:
        super().__init__()
        self._ask, self._interval = ask, interval
        self.order, self.wanted = order, wanted
        self._report: Report | None = None
        #: When that came (monotonic, s).
        self._at = 0.0
        self._asking = False

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(id="head")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Input(self.wanted, placeholder="a part of a topic or an owner")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        self.query_one(DataTable).add_columns(*HEADS)
        self.query_one(DataTable).focus()
        self.set_interval(self._interval, self._refresh_soon)
        self._refresh_soon()

    def _refresh_soon(self) -> None:
        """Ask, unless an answer is still on its way: one that is slow is waited for, or none would ever come."""
        if not self._asking:
            self._asking = True
            self.run_worker(self._refresh())

    async def _refresh(self) -> None:
        try:
            self._report = await self._ask()
        except StreamappError as exc:
            old = f"; below is what was told {age(time.monotonic() - self._at)} ago" if self._report else ""
            self.query_one("#head", Static).update(Text(f"{exc}{old}", style="bold red"))
        else:
            self._at = time.monotonic()
            self._show()
        finally:
            self._asking = False

    def _show(self) -> None:
        if self._report is None:
            return
        first, *wrong = head(self._report.group)
        found = rows(self._report, self.order, self.wanted)
        more = f"; {SHOWN} of {len(found):,} partitions" if len(found) > SHOWN else ""
        text = Text(f"{first}{more}; by {self.order}" + (f", with {self.wanted}" if self.wanted else ""))
        for line in wrong:
            text.append(f"\n{line}", style="bold red")
        self.query_one("#head", Static).update(text)
        table = self.query_one(DataTable)
        at = table.cursor_row
        table.clear()
        for row in found[:SHOWN]:
            # What comes from topics is text, and no markup.
            table.add_row(
                *(Text(cell, justify="right" if 0 < n < len(row) - 2 else "left") for n, cell in enumerate(row))
            )
        table.move_cursor(row=at)

    def action_sort(self, order: str) -> None:
        """Sort by something else."""
        self.order = Order(order)
        self._show()

    def action_filter(self) -> None:
        """Ask what is to be shown."""
        asked = self.query_one(Input)
        asked.add_class("open")
        asked.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what there is of it."""
        self.wanted = event.value
        self._show()

    def on_input_submitted(self) -> None:
        """Go back to the table."""
        self.query_one(Input).remove_class("open")
        self.query_one(DataTable).focus()
