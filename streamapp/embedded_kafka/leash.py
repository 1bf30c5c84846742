"""Run a program that must not outlive whoever started this one.

``python leash.py PROGRAM ARGUMENT…`` prints the program's process id, and ends with its exit status (128 + N
for signal N). The end of stdin ends the program: the owner closes the pipe, or dies in whatever way (then
the kernel closes it). This is the same on Linux and macOS, and knows nothing of threads, unlike Linux's
``PR_SET_PDEATHSIG``, which fires when the *thread* that started the program ends.

It stays a script of its own without imports from the project, for it starts with every broker.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Final

__all__ = ["main"]

#: Seconds to end in after SIGTERM; a Kafka needs less than one, or its data is on a very slow disk.
END_TIMEOUT_S: Final = 20.0


def main(command: list[str]) -> int:
    """Run the program until it ends or stdin does; return its exit status as a shell would."""
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, close_fds=False)
    except OSError as exc:
        sys.stderr.write(f"cannot run {command[0]}: {exc.strerror}\n")
        return 126
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())
    print(program.pid, flush=True)
    threading.Thread(target=_end_with_owner, args=[program], daemon=True).start()
    status = program.wait()
    return status if status >= 0 else 128 - status


def _end_with_owner(program: subprocess.Popen[bytes]) -> None:
    os.read(sys.stdin.fileno(), 1)
    program.terminate()
    try:
        program.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        program.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
