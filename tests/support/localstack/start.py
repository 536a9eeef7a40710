"""Runs LocalStack in this process until standard input closes, then removes its state and ends the process group.

Whoever started this holds the other end of the pipe. The system closes that end however the holder ends: by
returning, by a panic, or by kill -9. Functions run in this process group, so they end with it.

Usage: start.py STATE_FOLDER
"""

import os
import runpy
import shutil
import signal
import sys
import threading


def end_with_the_pipe(state: str) -> None:
    while os.read(0, 4096):
        pass
    shutil.rmtree(state, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def show_the_tags_of_apis() -> None:
    """Makes the answers about APIs hold their tags, as on AWS: LocalStack keeps those that came by TagResource apart."""
    from localstack.services.apigateway.helpers import get_apigateway_store
    from localstack.services.apigateway.legacy.provider import ApigatewayProvider as Provider

    def tagged(context, api):
        arn = f"arn:{context.partition}:apigateway:{context.region}::/restapis/{api['id']}"
        tags = {**(api.get("tags") or {}), **get_apigateway_store(context=context).TAGS.get(arn, {})}
        return {**api, "tags": tags} if tags else api

    get_one, get_all = Provider.get_rest_api, Provider.get_rest_apis

    def get_rest_api(self, context, rest_api_id, **kwargs):
        return tagged(context, get_one(self, context, rest_api_id, **kwargs))

    def get_rest_apis(self, context, position=None, limit=None, **kwargs):
        answer = get_all(self, context, position, limit, **kwargs)
        return {**answer, "items": [tagged(context, api) for api in answer["items"]]}

    Provider.get_rest_api, Provider.get_rest_apis = get_rest_api, get_rest_apis


def list_layers_as_aws_does() -> None:
    """Leaves layers without a version out of the list: LocalStack fails at the first of them."""
    from localstack.services.lambda_ import api_utils
    from localstack.services.lambda_.invocation.models import lambda_stores
    from localstack.services.lambda_.provider import LambdaProvider as Provider

    def list_layers(self, context, compatible_runtime=None, marker=None, max_items=None, compatible_architecture=None, **kwargs):
        def listed(name, layer, versions):
            newest = max(versions, key=lambda version: version.version)
            return {"LayerName": name, "LayerArn": layer.arn, "LatestMatchingVersion": api_utils.map_layer_out(newest)}

        layers = list(lambda_stores[context.account_id][context.region].layers.items())
        layers = [(name, layer, list(layer.layer_versions.values())) for name, layer in layers]
        return {"Layers": [listed(*layer) for layer in layers if layer[2]]}

    Provider.list_layers = list_layers


os.setsid()
threading.Thread(target=end_with_the_pipe, args=(sys.argv[1],), daemon=True).start()
show_the_tags_of_apis()
list_layers_as_aws_does()
try:
    runpy.run_module("localstack.runtime.main", run_name="__main__")
finally:
    sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)
