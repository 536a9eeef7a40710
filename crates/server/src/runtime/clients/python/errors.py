"""Lambda's way of telling errors: run by python.py, in its own names, when there is the first to tell."""


def is_ours(frame):
    return frame.f_globals is globals()


def without_us(trace):
    """A traceback from the function's own first frame on."""
    while trace and is_ours(trace.tb_frame):
        trace = trace.tb_next
    return trace


def formatted(trace):
    try:
        import traceback
    except (ImportError, OSError):
        # A function that has opened as many files as it may is one that has an error to tell.
        codes = [(at.tb_frame.f_code, at.tb_lineno) for at in iterated(trace)]
        return [f'  File "{code.co_filename}", line {line}, in {code.co_name}\n' for code, line in codes]
    # As tuples, frames are told without marks below the line.
    frames = [(at.filename, at.lineno, at.name, at.line) for at in traceback.extract_tb(trace)]
    return traceback.format_list(frames)


def iterated(trace):
    while trace:
        yield trace
        trace = trace.tb_next


def described(error, request_id=""):
    if isinstance(error, Fault):
        kind, message, frames = error.kind, error.message, error.trace
    else:
        kind, message = type(error).__name__, str(error)
        frames = formatted(without_us(error.__traceback__))
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": frames}


def log_error(error):
    """Writes an error as one event of the log: a carriage return ends no event in CloudWatch."""
    if LOGS_JSON:
        now = time.strftime(SECOND, time.gmtime())
        return write_event(document({"timestamp": now, "level": "ERROR", **error}))
    title = ": ".join(filter(None, [error["errorType"], error["errorMessage"]]))
    lines = [f"[ERROR] {title}" if title else "[ERROR]", "Traceback (most recent call last):"]
    for frame in error["stackTrace"]:
        for text in frame.splitlines() or [""]:
            rest = text.lstrip(" ")
            lines.append("\xa0" * (len(text) - len(rest)) + rest)
    write_event("\r".join(lines))


def tell_last_words(kind, error, trace):
    """Tells what ends the process with the function's own frames alone."""
    told, seen = error, set()
    while told and id(told) not in seen:
        seen.add(id(told))
        told.__traceback__ = without_us(told.__traceback__)
        told = told.__cause__ or told.__context__
    sys.__excepthook__(kind, error, error.__traceback__)
