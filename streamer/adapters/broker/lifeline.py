"""Start a program that the kernel kills when we end: `python lifeline.py OUR_PID PROGRAM ARGUMENT...`.

A script of its own between fork and exec, because code that runs in a forked copy of a process with threads
may wait for ever on a lock that one of those threads held.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent_pid: int, command: list[str]) -> None:
    """Tie this process to its parent, then become the program."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent_pid:  # it ended before the call above, and so will send no signal
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
