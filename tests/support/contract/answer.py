"""The function of the contract's table: it does what the header `X-Do` says, answers what `X-Answer` says, or its event."""

import json
import os
import time
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"

while True:
    with urllib.request.urlopen(f"{API}/invocation/next") as response:
        event, request = json.load(response), response.headers["Lambda-Runtime-Aws-Request-Id"]
    asked = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    kind, answer = "response", asked.get("x-answer") or json.dumps({"statusCode": 200, "body": json.dumps(event)})
    match asked.get("x-do"):
        case "fail":
            kind, answer = "error", '{"errorType": "Told", "errorMessage": "told to fail"}'
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "measure":
            answer = json.dumps({"body": str(len(event["body"]))})
        case "much":
            answer = json.dumps({"body": "x" * 6_500_000})
    sent = urllib.request.Request(f"{API}/invocation/{request}/{kind}", answer.encode())
    try:
        urllib.request.urlopen(sent).close()
    except urllib.error.HTTPError:
        pass
