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
    """Makes the answers about APIs, stages, usage plans and keys hold their tags, as on AWS: LocalStack keeps those that came by TagResource
    apart, and takes none off that were there from the start."""
    from localstack.services.apigateway.helpers import get_apigateway_store
    from localstack.services.apigateway.legacy.provider import ApigatewayProvider as Provider

    taken_off = {}

    def place(context, arn):
        return taken_off.setdefault((context.account_id, arn), set())

    def tagged(context, path, item):
        arn = f"arn:{context.partition}:apigateway:{context.region}::{path}"
        tags = {**(item.get("tags") or {}), **get_apigateway_store(context=context).TAGS.get(arn, {})}
        tags = {name: value for name, value in tags.items() if name not in place(context, arn)}
        return {**item, "tags": tags} if tags or item.get("tags") else item

    def wrap(one, many, path):
        get_one, get_all = getattr(Provider, one), getattr(Provider, many) if many else None

        def wrapped_one(self, context, *args, **kwargs):
            answer = get_one(self, context, *args, **kwargs)
            return tagged(context, path(answer, kwargs), answer)

        def wrapped_all(self, context, *args, **kwargs):
            answer = get_all(self, context, *args, **kwargs)
            return {**answer, "items": [tagged(context, path(item, kwargs), item) for item in answer.get("items") or []]}

        setattr(Provider, one, wrapped_one)
        if many:
            setattr(Provider, many, wrapped_all)

    wrap("get_rest_api", "get_rest_apis", lambda api, _: f"/restapis/{api['id']}")
    wrap("get_stage", None, lambda stage, asked: f"/restapis/{asked['rest_api_id']}/stages/{stage['stageName']}")
    wrap("get_usage_plan", "get_usage_plans", lambda plan, _: f"/usageplans/{plan['id']}")
    wrap("get_api_key", "get_api_keys", lambda key, _: f"/apikeys/{key['id']}")
    put, take = Provider.tag_resource, Provider.untag_resource

    def tag_resource(self, context, resource_arn, tags, **kwargs):
        place(context, resource_arn).difference_update(tags)
        return put(self, context, resource_arn, tags, **kwargs)

    def untag_resource(self, context, resource_arn, tag_keys, **kwargs):
        place(context, resource_arn).update(tag_keys)
        return take(self, context, resource_arn, tag_keys, **kwargs)

    Provider.tag_resource, Provider.untag_resource = tag_resource, untag_resource


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


def weigh_aliases_as_aws_does() -> None:
    """Lets an alias that is there get weights: LocalStack forgets to say of which version the alias is, and fails."""
    from localstack.services.lambda_.invocation.lambda_models import AliasRoutingConfig
    from localstack.services.lambda_.provider import LambdaProvider as Provider

    check = Provider._create_routing_config_model

    def weigh(self, weights, function_version=None):
        return check(self, weights, function_version) if function_version else AliasRoutingConfig(version_weights=weights)

    Provider._create_routing_config_model = weigh


def fire_no_rule() -> None:
    """Keeps rules and fires none: LocalStack fires those of all accounts at once, every five minutes for a rate of five minutes, and
    hundreds of functions would start in the middle of somebody else's test."""
    from localstack.services.events.scheduler import JobScheduler

    JobScheduler.start_loop = lambda self: None


os.setsid()
threading.Thread(target=end_with_the_pipe, args=(sys.argv[1],), daemon=True).start()
show_the_tags_of_apis()
list_layers_as_aws_does()
weigh_aliases_as_aws_does()
fire_no_rule()
try:
    runpy.run_module("localstack.runtime.main", run_name="__main__")
finally:
    sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)
