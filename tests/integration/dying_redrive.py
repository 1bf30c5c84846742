"""``streamapp redrive`` that is killed at a step of a transaction: ``STEP`` says before which flush or commit."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Any

from streamapp.cli.group import streamapp
from streamapp.redrive.sending import Sender

step, calls = int(os.environ["STEP"]), itertools.count(1)
flush: Any = Sender._flush


def flush_and_die(sender: Any) -> None:
    flush(sender)
    if next(calls) == step:
        os.kill(os.getpid(), signal.SIGKILL)


Sender._flush = flush_and_die  # type: ignore[assignment, method-assign]
streamapp(sys.argv[1:])
