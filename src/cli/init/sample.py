"""Answers a sample that scikit-learn draws."""

import json
import os
import time

from sklearn.datasets import make_classification


def handle(event, context):
    ping = event.get("mdo") or {}
    if ping.get("warm"):
        time.sleep(ping.get("hold_ms", 0) / 1000)
        return {"warm": True}
    x, y = make_classification(
        n_samples=100,
        n_features=2,
        n_informative=2,
        n_redundant=0,
        n_clusters_per_class=1,
        n_classes=int(os.environ["N_CLASSES"]),
        random_state=0,
    )
    # json takes no numpy.int64, which list(y) would hold; tolist() makes ints of them.
    body = {"vec_0": x[:, 0].tolist(), "vec_1": x[:, 1].tolist(), "target": y.tolist()}
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
    }
