#!/usr/bin/env python3
"""A function for the smoke tests: it echoes its event, and fails, hangs or exits when the event says so."""

import json
import os
import sys
import time
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"


def post(path, answer):
    urllib.request.urlopen(urllib.request.Request(f"{API}/{path}", json.dumps(answer).encode())).close()


if os.environ.get("FAIL") == "init":
    post("init/error", {"errorType": "Init", "errorMessage": "told to fail"})
    sys.exit(1)

while True:
    with urllib.request.urlopen(f"{API}/invocation/next") as response:
        event, request = json.load(response), response.headers["Lambda-Runtime-Aws-Request-Id"]
    print("handling", event.get("do", event.get("path")))
    sys.stdout.flush()
    match event.get("do"):
        case "fail":
            post(f"invocation/{request}/error", {"errorType": "Told", "errorMessage": "told to fail"})
            continue
        case "hang":
            time.sleep(60)
        case "exit":
            sys.exit(3)
    seen = {"name": os.environ["AWS_LAMBDA_FUNCTION_NAME"], "version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"]}
    seen |= {"greeting": os.environ.get("GREETING"), "process": os.getpid(), "event": event}
    post(f"invocation/{request}/response", {"statusCode": 200, "body": json.dumps(seen)})
