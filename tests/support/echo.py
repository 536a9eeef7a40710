"""The handler of a test project's function: it answers what it sees. Started by a bootstrap that names this file."""

import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"

while True:
    with urllib.request.urlopen(f"{API}/invocation/next") as response:
        event, request = json.load(response), response.headers["Lambda-Runtime-Aws-Request-Id"]
    print("handling", event.get("path") or event.get("say"), flush=True)
    seen = {
        "function": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        "memory": os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        "greeting": os.environ.get("GREETING"),
        "edition": open("edition.txt").read().strip(),
        "say": event.get("say"),
    }
    kind, answer = "response", {"statusCode": 200, "body": json.dumps(seen)}
    if event.get("say") == "fail":
        kind, answer = "error", {"errorType": "Told", "errorMessage": "told to fail"}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(f"{API}/invocation/{request}/{kind}", body)).close()
