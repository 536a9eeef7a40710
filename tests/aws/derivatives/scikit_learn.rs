//! The guide's own function with the real scikit-learn from PyPI, for the figures:
//! `MDO_SCIKIT_LEARN=1 cargo test -p mdo --test aws scikit_learn -- --nocapture`.

use std::time::Instant;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::layers::Layers;
use super::painting::Painting;
use crate::support::emulator::{Emulator, say};
use crate::support::project::TestProject;
use crate::support::uv::{python, uv};

/// Of the body that the guide shows for two classes.
const GUIDE: &str = "d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241";

const WAY_TO_PYPI: [&str; 7] = [
    "SSL_CERT_FILE",
    "UV_SYSTEM_CERTS",
    "UV_NATIVE_TLS",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_CACHE_DIR",
    "HTTPS_PROXY",
];

const SAMPLE: &str = r#"import json
import os

from sklearn.datasets import make_classification


def handle(event, context):
    x, y = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=0,
                               n_clusters_per_class=1, n_classes=int(os.environ["N_CLASSES"]))
    body = {"vec_0": list(x[:, 0]), "vec_1": list(x[:, 1]), "target": list(y)}
    return {"statusCode": 200, "body": json.dumps(body)}
"#;

#[test]
fn the_guides_function_says_what_is_wrong_with_it_and_then_answers_the_guides_bytes() {
    if std::env::var_os("MDO_SCIKIT_LEARN").is_none() {
        return;
    }
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::without_functions(emulator.account());
    project.set_variable("MDO_UV", uv().display().to_string());
    project.set_variable("MDO_PYTHON", python().program.display().to_string());
    // What this machine's way to PyPI asks for.
    for name in WAY_TO_PYPI {
        std::env::var(name).into_iter().for_each(|value| project.set_variable(name, value));
    }
    let settings = json!({
        "runtime": python().runtime.to_string(), "handler": "sample.handle", "derivatives": ["sklearn"],
        "routes": ["GET /sample_producer"], "memory": 1024, "environment": {"N_CLASSES": "2"},
    });
    project.write("functions/sample_producer/function.json", &settings.to_string());
    project.write("functions/sample_producer/sample.py", SAMPLE);
    Painting::wants(&project, "sklearn", "scikit-learn");
    let timed = |what: &str, begun: Instant| say(&format!("{what:<14} {:?}", begun.elapsed()));
    let begun = Instant::now();
    say(&project.mdo("deploy").exits(0).stdout);
    timed("deploy", begun);
    project.is_settled("");

    let layers = Layers::of(&project);
    say(&format!("layers         {:?}", layers.attached("sample_producer")));
    let begun = Instant::now();
    let invoked = project.mdo("invoke sample_producer").runs();
    timed("first invoke", begun);
    say(&invoked.transcript());
    invoked.says("TypeError: Object of type int64 is not JSON serializable");
    assert_eq!(layers.0.get("sample_producer").0, 502);

    project.write("functions/sample_producer/sample.py", &SAMPLE.replace("list(y)", "y.tolist()"));
    let begun = Instant::now();
    say(&project.mdo("deploy").exits(0).stdout);
    timed("deploy of code", begun);
    let begun = Instant::now();
    let (status, body) = layers.0.get("sample_producer");
    timed("first answer", begun);
    let sha256: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((status, sha256.as_str()), (200, GUIDE), "{body}");
    let begun = Instant::now();
    layers.0.get("sample_producer");
    timed("warm answer", begun);
}
