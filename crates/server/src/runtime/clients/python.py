"""The client of the Lambda Runtime API for Python, as Lambda's own behaves: `python -c <this>`.

It is the standard library alone, of which it imports little: http.client would take longer than all the rest.
Its arguments are the folders of the function's modules.
"""

import sys

# With -c, Python looks into the working folder first, where a module of the function may be named as one that is needed here.
sys.path[:1] = [] if sys.path[:1] == [""] else sys.path[:1]

import importlib.machinery
import json
import logging
import math
import os
import site
import time
import traceback

import _socket  # socket itself takes five times as long to import

HANDLER = os.environ["_HANDLER"]
LOGS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
LOG_LEVEL = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
SECOND = "%Y-%m-%dT%H:%M:%SZ"
# What is none of the attributes that a log record always has was given by the function, as `extra`.
RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "aws_request_id", "tenant_id"}

running = {"id": None, "tenant": None}


class Fault(Exception):
    """A failure that Lambda has a name of its own for."""

    def __init__(self, kind, message, trace=()):
        self.kind, self.message, self.trace = kind, message, list(trace)


class Api:
    """A connection to the Runtime API. Its server answers every request with its length, on a connection that it keeps."""

    def __init__(self):
        self.host = os.environ["AWS_LAMBDA_RUNTIME_API"]
        # Made before the function may put other sockets in place of Python's, or give them all a time limit.
        self.socket = _socket.socket()
        self.answers = open(self.socket.fileno(), "rb", closefd=False)

    def connect(self):
        host, _, port = self.host.rpartition(":")
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)

    def call(self, method, path, body=b"", error_type=None):
        head = [f"{method} /2018-06-01/runtime/{path} HTTP/1.1", f"Host: {self.host}", f"Content-Length: {len(body)}"]
        if error_type is not None:
            head += [f"Lambda-Runtime-Function-Error-Type: {error_type}"]
        self.socket.sendall("\r\n".join([*head, "", ""]).encode() + body)
        self.answers.readline()
        lines = iter(lambda: self.answers.readline().decode().strip(), "")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return headers, self.answers.read(int(headers["content-length"]))


# JSON


def plain(value, within=()):
    """What the json module writes as Lambda writes the value: it knows neither Decimal nor the names in a namedtuple."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode()
    decimal = sys.modules.get("decimal")
    if isinstance(value, getattr(decimal, "Decimal", ())):
        return math.nan if value.is_nan() else Number(value)
    names = getattr(value, "_asdict", None)
    if id(value) in within:
        raise ValueError("Circular reference detected")
    within = (*within, id(value))
    if callable(names):
        value = names()
    if isinstance(value, dict):
        return {name_of(key): plain(item, within) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, within) for item in value]
    return value


def name_of(key):
    if key is None or isinstance(key, (str, int, float)):
        return key
    if isinstance(key, bytes):
        return key.decode()
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


class Number:
    """A decimal number, which keeps its digits."""

    MARK = os.urandom(16).hex()
    met = False

    def __init__(self, value):
        self.text = f"{self.MARK}{value}"


def unusual(value):
    if isinstance(value, Number):
        Number.met = True
        return value.text
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


encode = json.JSONEncoder(ensure_ascii=sys.version_info < (3, 12), default=unusual).encode


def document(value):
    Number.met = False
    text = encode(plain(value))
    if Number.met:
        import re

        text = re.sub(f'"{Number.MARK}([^"]*)"', r"\1", text)
    return text


# Logs


def write_event(text):
    """Writes one event of the log. On Lambda a frame ends it, here a line: what follows must not run into it."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


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


def set_up_logs():
    sys.stdout.reconfigure(encoding="utf-8", errors="strict")
    logging.Formatter.converter = time.gmtime
    line = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
    handler = Handler()
    handler.setFormatter(Json() if LOGS_JSON else logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
    if isinstance(logging.getLevelName(LOG_LEVEL), int):
        logging.getLogger().setLevel(LOG_LEVEL)
    logging.getLogger().addHandler(handler)


def log_error(error):
    """Writes an error as one event of the log: a carriage return ends no event in CloudWatch."""
    if LOGS_JSON:
        now = time.strftime(SECOND, time.gmtime())
        return sys.stdout.write(document({"timestamp": now, "level": "ERROR", **error}) + "\n")
    title = ": ".join(filter(None, [error["errorType"], error["errorMessage"]]))
    lines = [f"[ERROR] {title}" if title else "[ERROR]", "Traceback (most recent call last):"]
    for frame in error["stackTrace"]:
        for text in frame.splitlines() or [""]:
            rest = text.lstrip(" ")
            lines.append("\N{NO-BREAK SPACE}" * (len(text) - len(rest)) + rest)
    sys.stdout.write("\r".join(lines) + "\n")


# Errors


def is_ours(frame):
    return frame.f_globals is globals()


def without_us(trace):
    """A traceback from the function's own first frame on."""
    while trace and is_ours(trace.tb_frame):
        trace = trace.tb_next
    return trace


def described(error, request_id=""):
    if isinstance(error, Fault):
        kind, message, frames = error.kind, error.message, error.trace
    else:
        kind, message = type(error).__name__, str(error)
        # As tuples, frames are told without marks below the line.
        frames = traceback.extract_tb(without_us(error.__traceback__))
        frames = traceback.format_list([(at.filename, at.lineno, at.name, at.line) for at in frames])
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": frames}


def fault(name, run, *arguments):
    """Runs something, and gives its failure the name that Lambda has for it."""
    kind, what = name
    try:
        return run(*arguments)
    except Exception as error:
        raise Fault(kind, f"{what}: {error}") from None


# The context


class Named:
    """The fields of a document, as attributes; what it does not have is None."""

    _fields = ()

    def __init__(self, values):
        for field in self._fields:
            setattr(self, field, values.get(field))

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{field}={getattr(self, field)}' for field in self._fields)}])"


class CognitoIdentity(Named):
    _fields = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Named):
    _fields = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Named):
    _fields = ("custom", "env", "client")


class LambdaContext(Named):
    _fields = (
        "aws_request_id",
        "log_group_name",
        "log_stream_name",
        "function_name",
        "memory_limit_in_mb",
        "function_version",
        "invoked_function_arn",
        "client_context",
        "identity",
        "tenant_id",
    )

    def __init__(self, headers):
        def parsed(header, what):
            text = headers.get("lambda-runtime-" + header)
            name = ("Runtime.LambdaContextUnmarshalError", f"Unable to parse {what} JSON")
            return fault(name, json.loads, text) if text else None

        client, cognito = parsed("client-context", "Client Context"), parsed("cognito-identity", "Cognito Identity")
        trace = client.pop("w3c", None) if isinstance(client, dict) else None
        trace = trace if isinstance(trace, dict) else {}
        known = ("traceparent", "tracestate", "baggage")
        self._w3c = {key: trace[key] for key in known if isinstance(trace.get(key), str)}
        if client is not None:
            client = ClientContext(client)
            client.client = client.client and Client(client.client)
        identity = {} if cognito is None else {
            "cognito_identity_id": cognito.get("cognitoIdentityId"),
            "cognito_identity_pool_id": cognito.get("cognitoIdentityPoolId"),
        }
        self._deadline = int(headers["lambda-runtime-deadline-ms"])
        super().__init__({
            "aws_request_id": headers["lambda-runtime-aws-request-id"],
            "log_group_name": os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
            "log_stream_name": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
            "function_name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
            "memory_limit_in_mb": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
            "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
            "invoked_function_arn": headers.get("lambda-runtime-invoked-function-arn"),
            "client_context": client,
            "identity": CognitoIdentity(identity),
            "tenant_id": headers.get("lambda-runtime-aws-tenant-id"),
        })

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))

    def w3c(self):
        return dict(self._w3c)

    def log(self, message):
        write_event(str(message))


# The function

# The packages that Lambda's image has of its own, which a function may import without bringing them.
OF_THE_IMAGE = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}


class Image:
    """Finds, of the packages of this machine, what Lambda's image has too: a function is not to find any other here."""

    def __init__(self):
        environment = os.path.dirname(os.path.dirname(sys.executable))
        self.folders = site.getsitepackages([environment, sys.base_prefix])

    def find_spec(self, name, path=None, target=None):
        if path is None and name in OF_THE_IMAGE:
            return importlib.machinery.PathFinder.find_spec(name, self.folders, target)


def load():
    module, dot, function = HANDLER.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{HANDLER}': {reason}")
    if module.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module} as a handler module")
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from None
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", [place]) from None
    try:
        return getattr(loaded, function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module}'") from None


def handle(function, headers, event):
    context = LambdaContext(headers)
    event = fault(("Runtime.UnmarshalError", "Unable to unmarshal input"), json.loads, event)
    answer = function(event, context)
    if isinstance(answer, bytes):
        return answer
    try:
        return fault(("Runtime.MarshalError", "Unable to marshal response"), document, answer)
    finally:
        # A coroutine that nobody runs is warned of at a line of ours.
        if hasattr(answer, "cr_frame"):
            answer.close()


def main():
    set_up_logs()
    api = Api()
    try:
        function = load()
    except Exception as error:
        error = described(error)
        log_error(error)
        api.connect()
        api.call("POST", "init/error", document(error).encode(), error["errorType"])
        sys.exit(1)
    api.connect()
    while True:
        headers, event = api.call("GET", "invocation/next")
        request = headers["lambda-runtime-aws-request-id"]
        running["id"], running["tenant"] = request, headers.get("lambda-runtime-aws-tenant-id")
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
        try:
            answer = handle(function, headers, event)
        except Exception as error:
            error = described(error, request)
            log_error(error)
            api.call("POST", f"invocation/{request}/error", document(error).encode())
        else:
            body = answer if isinstance(answer, bytes) else answer.encode()
            api.call("POST", f"invocation/{request}/response", body)


def last_words(kind, error, trace):
    """Tells what ends the process with the function's own frames alone."""
    told, seen = error, set()
    while told and id(told) not in seen:
        seen.add(id(told))
        told.__traceback__ = without_us(told.__traceback__)
        told = told.__cause__ or told.__context__
    sys.__excepthook__(kind, error, error.__traceback__)


sys.excepthook = last_words
# Without the packages of this machine, Python does not give a function these either.
site.setquit()
site.setcopyright()
site.sethelper()
sys.meta_path.append(Image())
sys.path[:0] = sys.argv[1:]
del sys.argv[1:]
main()
