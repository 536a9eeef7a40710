"""The client of the Lambda Runtime API for Python, as Lambda's own behaves: `python -c <this> <logs> <errors> <folders…>`.

It is the standard library alone, of which it imports next to nothing: what most starts never need is imported, and the rooms of
logs and of errors are run, when there is a need. The folders are those of the function's modules. The rooms from here to main.py are one
text, which the build joins in the order of launcher.rs.
"""

import sys

# With -c, Python looks into the working folder first, where a module of the function may be named as one that is needed here.
sys.path[:1] = [] if sys.path[:1] == [""] else sys.path[:1]

import importlib
import os
import site
import time

LOGS, ERRORS, *FOLDERS = sys.argv[1:]
HANDLER = os.environ["_HANDLER"]
LOGS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
SECOND = "%Y-%m-%dT%H:%M:%SZ"

running = {"id": None, "tenant": None}


class Fault(Exception):
    """A failure that Lambda has a name of its own for."""

    def __init__(self, kind, message, trace=()):
        self.kind, self.message, self.trace = kind, message, list(trace)


def fault(name, run, *arguments):
    """Runs something, and gives its failure the name that Lambda has for it."""
    kind, what = name
    try:
        return run(*arguments)
    except Exception as error:
        raise Fault(kind, f"{what}: {error}") from None


def enter(room):
    """Runs one of the rooms that are not always needed: its names are there from then on."""
    # A text that exec compiles itself makes Python forget that it ends by an interrupt from the keyboard.
    exec(compile(room, "<string>", "exec"), globals())


def errors():
    if "described" not in globals():
        enter(ERRORS)


class Output:
    """An output of the process, as Lambda's own client wraps it."""

    # Whether what was written last has not ended its line. Both outputs are one pipe.
    is_in_line = False

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()
        if text:
            Output.is_in_line = not text.endswith("\n")

    def writelines(self, texts):
        for text in texts:
            self.write(text)


OUTPUT = Output(sys.stdout)


def write_event(text):
    """Writes one event of the log. On Lambda it is a frame in a pipe of its own, here a line or some: neither what was written before nor
    what follows may run into it. What a program that the function has started wrote last is not known here."""
    begin, end = "\n" if Output.is_in_line else "", "" if text.endswith("\n") else "\n"
    OUTPUT.write(f"{begin}{text}{end}")
