"""Commands that every app of this library has in Faust's command line: ``faust -A APP reset`` and ``rename``.

Faust's own `reset` (0.15.3) keeps offsets and changelogs; ours takes its place.
"""

from __future__ import annotations

from faust.cli.faust import cli

from streamapp.cli.rename import rename
from streamapp.cli.reset import reset

for command in (reset, rename):
    cli.add_command(command)
