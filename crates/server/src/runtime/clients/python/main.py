"""The life of a sandbox: the handler is loaded, then runs one event after the other."""

import _socket  # socket itself takes five times as long to import


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


def handle(function, headers, event):
    context = LambdaContext(headers)
    event = fault(("Runtime.UnmarshalError", "Unable to unmarshal input"), parsed, event)
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
    api = Api()
    try:
        function = load()
    except Exception as error:
        errors()
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
            errors()
            error = described(error, request)
            log_error(error)
            api.call("POST", f"invocation/{request}/error", document(error).encode())
        else:
            body = answer if isinstance(answer, bytes) else answer.encode()
            api.call("POST", f"invocation/{request}/response", body)


def last_words(*told):
    errors()
    tell_last_words(*told)


sys.excepthook = last_words
sys.stdout.reconfigure(encoding="utf-8", errors="strict")
sys.stdout, sys.stderr = OUTPUT, Output(sys.stderr)
# Without the packages of this machine, Python does not give a function these either.
site.setquit()
site.setcopyright()
site.sethelper()
sys.meta_path[-1:] = [Standard, *sys.meta_path[-1:], Image]
sys.path[:0] = FOLDERS
del sys.argv[1:]
main()
