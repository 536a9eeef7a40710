"""Runs LocalStack in this process until standard input closes, then removes its state and ends the process group.

Whoever started this holds the other end of the pipe. The system closes that end however the holder ends: by
returning, by a panic, or by kill -9. Functions run in this process group, so they end with it.

Usage: start.py STATE_FOLDER
"""

import os
import runpy
import shutil
import signal
import sys
import threading


def end_with_the_pipe(state: str) -> None:
    while os.read(0, 4096):
        pass
    shutil.rmtree(state, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


os.setsid()
threading.Thread(target=end_with_the_pipe, args=(sys.argv[1],), daemon=True).start()
try:
    runpy.run_module("localstack.runtime.main", run_name="__main__")
finally:
    sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)
