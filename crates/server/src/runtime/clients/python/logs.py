"""Lambda's way of writing log records: run by python.py, in its own names, as soon as `logging` is imported.

Most functions that only answer never import it, and it takes longer than the rest of a start.
"""

import logging
import traceback

if LOGS_JSON:
    import json

LEVEL = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
# What is none of the attributes that a log record always has was given by the function, as `extra`.
RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "aws_request_id", "tenant_id"}


class Handler(logging.Handler):
    """Writes records to standard output, each with the id of its event."""

    def emit(self, record):
        write_event(self.format(record))

    def filter(self, record):
        record.aws_request_id, record.tenant_id = running["id"] or "", running["tenant"]
        return super().filter(record)


class Json(logging.Formatter):
    """A record as one JSON document."""

    def format(self, record):
        record.levelno = min(50, max(0, record.levelno)) // 10 * 10
        record.levelname = logging.getLevelName(record.levelno)
        is_document = isinstance(record.msg, dict) and not record.args
        kind, error, trace = record.exc_info or (None, None, None)
        fields = {
            "timestamp": self.formatTime(record, SECOND),
            "level": record.levelname,
            "message": record.msg if is_document else record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if kind else None,
            "errorType": kind.__name__ if kind else None,
            "errorMessage": str(error) if kind else None,
            "requestId": record.aws_request_id,
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if kind else None,
            "tenantId": record.tenant_id,
        }
        extra = {key: value for key, value in vars(record).items() if key not in RECORD and key not in fields}
        fields = {key: value for key, value in {**fields, **extra}.items() if value is not None}
        return json.dumps(fields, ensure_ascii=False, default=str) + "\n"


def set_up():
    logging.Formatter.converter = time.gmtime
    line = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
    handler = Handler()
    handler.setFormatter(Json() if LOGS_JSON else logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
    if isinstance(logging.getLevelName(LEVEL), int):
        logging.getLogger().setLevel(LEVEL)
    logging.getLogger().addHandler(handler)


set_up()
