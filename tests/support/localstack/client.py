"""Answers the tests' AWS calls with boto3's core: one JSON request a line on standard input, one answer a line on standard output.

Request: {"id", "endpoint", "region", "account", "service", "operation", "params"}. Answer: {"id", "ok"} or {"id", "error"}.
Calls run side by side, so answers may come in another order. In params, three objects stand for bytes:
{"$zip": {name: text}} is an archive of executable files, {"$file": path} a file's bytes, {"$base64": text} any bytes.
Bytes in an answer are text where they are UTF-8 and {"$base64": text} elsewhere; times are ISO 8601.
"""

import base64
import io
import json
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

import botocore.session
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

session = botocore.session.get_session()
# A proxy between us and the emulator must not take a connection that we keep for one of the process under test.
session.register("before-sign.*", lambda request, **_: request.headers.add_header("Connection", "close"))
config = Config(retries={"total_max_attempts": 1}, read_timeout=120, proxies={})
clients: dict[tuple, object] = {}
making = threading.Lock()
writing = threading.Lock()


def client(service: str, endpoint: str, region: str, account: str):
    key = (service, endpoint, region, account)
    with making:
        if key not in clients:
            clients[key] = session.create_client(
                service,
                region_name=region,
                endpoint_url=endpoint,
                aws_access_key_id=account,
                aws_secret_access_key="test",
                config=config,
            )
        return clients[key]


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def decode(value):
    if isinstance(value, dict):
        match list(value.items()):
            case [("$zip", files)]:
                return archive(files)
            case [("$file", path)]:
                return Path(path).read_bytes()
            case [("$base64", text)]:
                return base64.b64decode(text)
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


def encode(value):
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"$base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def answer(line: str) -> None:
    request = json.loads(line)
    try:
        caller = client(request["service"], request["endpoint"], request["region"], request["account"])
        call = partial(getattr(caller, request["operation"]), **decode(request["params"]))
        try:
            response = call()
        except ConnectionClosedError:
            # The emulator may close an idle connection just as it is used again.
            if not request["operation"].startswith(("get_", "list_", "describe_")):
                raise
            response = call()
        response.pop("ResponseMetadata", None)
        text = json.dumps({"id": request["id"], "ok": response}, default=encode)
    except Exception as error:
        text = json.dumps({"id": request["id"], "error": f"{type(error).__name__}: {error}"})
    with writing:
        print(text, flush=True)


with ThreadPoolExecutor(16) as pool:
    for line in sys.stdin:
        pool.submit(answer, line)
