"""Runs MiniStack in this process until standard input closes, then ends the process group.

Whoever started this holds the other end of the pipe. The system closes that end however the holder ends: by
returning, by a panic, or by kill -9.
"""

import os
import signal
import threading


def end_with_the_pipe() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    os.setpgid(0, 0)
    threading.Thread(target=end_with_the_pipe, daemon=True).start()
    from ministack.app import main

    main()
