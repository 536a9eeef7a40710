"""Runs a server in this process until standard input closes, then ends the process group: `start.py MODULE ARGUMENT…`, where the
module's `main` is the server.

Whoever started this holds the other end of the pipe. The system closes that end however the holder ends: by
returning, by a panic, or by kill -9.
"""

import importlib
import os
import signal
import sys
import threading


def end_with_the_pipe() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    os.setpgid(0, 0)
    threading.Thread(target=end_with_the_pipe, daemon=True).start()
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    importlib.import_module(module).main()
