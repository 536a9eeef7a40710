"""A runtime executor for LocalStack that runs a function's bootstrap as a process of this machine.

It speaks the Lambda Runtime API (2018-06-01) to the bootstrap on a loopback port. It does not isolate: a function
sees this machine's files, and what it leaves in /tmp stays there.

A function of a managed Python runtime is run by a Python of that version with mdo's own client of the Runtime API: it needs
no installation, and runs on any version and system. Lambda's own client has no wheel for all of them; that the two answer alike is
proven elsewhere, by crates/server/tests/managed. MDO_LAMBDA_PYTHONS maps runtimes to interpreters, in JSON, and
MDO_LAMBDA_PYTHON_CLIENT is the folder of the client's rooms.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

RUNTIME = "/2018-06-01/runtime/"


class NativeExecutorPlugin(RuntimeExecutorPlugin):
    name = "native"

    def load(self, *args, **kwargs):
        return NativeExecutor


class NativeExecutor(RuntimeExecutor):
    """One execution environment: at most one bootstrap process, and one invocation at a time."""

    def __init__(self, id, function_version):
        super().__init__(id, function_version)
        self.sandbox = None

    def start(self, env_vars):
        environment = {name: str(value) for name, value in env_vars.items()}
        config = self.function_version.config
        folder = config.code.get_unzipped_code_location()
        config.code.prepare_for_execution()
        command = [str(folder / "bootstrap")]
        if config.runtime.startswith("python"):
            layers = [layer.code for layer in config.layers]
            for layer in layers:
                layer.prepare_for_execution()
            modules = [folder, *(layer.get_unzipped_code_location() / "python" for layer in layers)]
            environment["PYTHONPATH"] = os.pathsep.join([*map(str, modules), environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
            command = python(config.runtime)
        self.sandbox = Sandbox(command, folder, environment, config.timeout, self.function_version.id.qualifier)
        self.sandbox.start()

    def stop(self):
        if self.sandbox:
            self.sandbox.close()

    def invoke(self, payload):
        return self.sandbox.invoke(payload)

    def get_logs(self):
        return self.sandbox.everything_logged() if self.sandbox else ""

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://{self.sandbox.api}" if self.sandbox else ""

    @classmethod
    def prepare_version(cls, function_version):
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass


class Sandbox:
    """A bootstrap process and the Runtime API that it talks to. All state below `changed` is guarded by it."""

    def __init__(self, command, folder, environment, timeout, version):
        self.command = command
        self.folder = folder
        self.timeout = timeout
        self.version = version
        self.logged = tempfile.TemporaryFile()
        self.read = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
        self.server.daemon_threads = True
        self.server.sandbox = self
        self.api = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.environment = {
            "LANG": "en_US.UTF-8",
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            **environment,
            "AWS_LAMBDA_RUNTIME_API": self.api,
            "LAMBDA_TASK_ROOT": str(folder),
        }
        self.changed = threading.Condition()
        self.process = None
        self.closed = False
        self.ready = False
        self.event = None
        self.request = None
        self.result = None
        self.init_error = None

    def start(self):
        """Starts the bootstrap and waits until it asks for an event; raises with the error's JSON if it does not."""
        with self.changed:
            self.ready, self.event, self.result, self.init_error = False, None, None, None
            try:
                self.process = subprocess.Popen(
                    self.command,
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=self.logged,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise StatusErrorException(
                    "no bootstrap",
                    failure("Runtime.InvalidEntrypoint", f"Error: {error.strerror}: {os.path.basename(self.command[0])}"),
                ) from error
            process = self.process
            threading.Thread(target=self.watch, args=(process,), daemon=True).start()
            self.changed.wait_for(
                lambda: self.ready or self.init_error or self.closed or process.returncode is not None
            )
            if self.ready:
                return
            error = self.init_error or failure("Runtime.ExitError", exited(process))
        self.kill(process)
        raise StatusErrorException("the bootstrap failed to start", error)

    def invoke(self, payload):
        request = payload["invoke-id"]
        began = time.monotonic()
        if self.process.poll() is not None:
            try:
                self.start()
            except StatusErrorException as error:
                return InvocationResult(request, error.payload, True, self.report(request, began))
        with self.changed:
            process, self.result, self.request, self.event = self.process, None, request, payload
            self.changed.notify_all()
            in_time = self.changed.wait_for(
                lambda: self.result or self.closed or process.returncode is not None, self.timeout
            )
            if self.result:
                body, is_error = self.result
            elif in_time:
                body, is_error = failure("Runtime.ExitError", f"RequestId: {request} Error: {exited(process)}"), True
            else:
                now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
                message = f"{now}Z {request} Task timed out after {self.timeout:.2f} seconds"
                body, is_error = json.dumps({"errorMessage": message}).encode(), True
            answered = self.result is not None
            self.event = self.request = None
        if not answered:
            self.kill(process)
        return InvocationResult(request, body, is_error, self.report(request, began))

    def close(self):
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        if self.process:
            self.kill(self.process)
        self.server.shutdown()
        self.server.server_close()

    def kill(self, process):
        process.kill()
        process.wait()

    def watch(self, process):
        process.wait()
        with self.changed:
            self.changed.notify_all()

    def next_event(self):
        """The next event for the process that runs now, or nothing once that process is gone."""
        with self.changed:
            process = self.process
            self.ready = True
            self.changed.notify_all()
            gone = lambda: self.closed or self.process is not process or process.returncode is not None
            self.changed.wait_for(lambda: self.event or gone())
            if gone():
                return None
            event, self.event = self.event, None
            return event

    def answered(self, request, body, is_error):
        with self.changed:
            if request == self.request and not self.result:
                self.result = (body, is_error)
                self.changed.notify_all()
                return True
            return False

    def failed_to_start(self, body):
        with self.changed:
            self.init_error = body
            self.changed.notify_all()

    def everything_logged(self):
        size = os.fstat(self.logged.fileno()).st_size
        return os.pread(self.logged.fileno(), size, 0).decode(errors="replace")

    def report(self, request, began):
        """What the process wrote since the last report, between the lines that Lambda itself writes."""
        size = os.fstat(self.logged.fileno()).st_size
        text = os.pread(self.logged.fileno(), size - self.read, self.read).decode(errors="replace")
        self.read = size
        if text and not text.endswith("\n"):
            text += "\n"
        spent = (time.monotonic() - began) * 1000
        return (
            f"START RequestId: {request} Version: {self.version}\n{text}END RequestId: {request}\n"
            f"REPORT RequestId: {request}\tDuration: {spent:.2f} ms\tBilled Duration: {int(spent) + 1} ms\t"
            f"Memory Size: {self.environment.get('AWS_LAMBDA_FUNCTION_MEMORY_SIZE')} MB\tMax Memory Used: 1 MB\n"
        )


class RuntimeApi(BaseHTTPRequestHandler):
    """The HTTP face of a sandbox."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        sandbox = self.server.sandbox
        if self.path != f"{RUNTIME}invocation/next":
            return self.send(404, {"errorMessage": f"no such path: {self.path}"})
        event = sandbox.next_event()
        if event is None:
            self.close_connection = True
            return None
        deadline = int((time.time() + sandbox.timeout) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": event["invoke-id"],
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": event["invoked-function-arn"],
            "Lambda-Runtime-Trace-Id": event["trace-id"],
        }
        return self.send(200, event["payload"].encode(), headers)

    def do_POST(self):
        sandbox, body = self.server.sandbox, self.body()
        match self.path.removeprefix(RUNTIME).split("/"):
            case ["init", "error"]:
                sandbox.failed_to_start(body)
                return self.send(202, {"status": "OK"})
            case ["invocation", request, "response" | "error" as kind]:
                if sandbox.answered(request, body, kind == "error"):
                    return self.send(202, {"status": "OK"})
                return self.send(400, {"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"})
        return self.send(404, {"errorMessage": f"no such path: {self.path}"})

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def send(self, status, body, headers=None):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def python(runtime):
    """The command line of a managed Python runtime. One that this machine has no Python for fails to start."""
    interpreters = json.loads(os.environ.get("MDO_LAMBDA_PYTHONS", "{}"))
    program = interpreters.get(runtime, f"/nowhere/{runtime}")
    # As crates/server/src/runtime/launcher.rs hands it over.
    always = "".join(room(name) for name in ("start", "documents", "context", "modules", "main"))
    return [program, "-u", "-s", "-X", "utf8", "-c", always, room("logs"), room("errors")]


def room(name):
    with open(os.path.join(os.environ["MDO_LAMBDA_PYTHON_CLIENT"], f"{name}.py"), encoding="utf-8") as text:
        return text.read()


def failure(kind, message):
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def exited(process):
    code = process.returncode
    if code is not None and code < 0:
        return f"Runtime exited with error: signal {-code}"
    return f"Runtime exited with error: exit status {code}" if code else "Runtime exited without providing a reason"
