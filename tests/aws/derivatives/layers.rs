//! The layers that are really there, read with boto3.

use serde_json::{Value, json};

use crate::live::{Live, items, text};
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;

/// The layers of an account.
pub(crate) struct Layers<'a>(pub Live<'a>);

impl<'a> Layers<'a> {
    /// Those of a project's account.
    pub(crate) fn of(project: &'a TestProject) -> Layers<'a> {
        Layers(Live::of(project, "dev"))
    }

    /// The names of all layers that have a version, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let layers = items(&self.0.call("lambda", "list_layers", json!({}))["Layers"]);
        let mut names: Vec<_> = layers.iter().map(|layer| text(&layer["LayerName"])).collect();
        names.sort();
        names
    }

    /// The versions of a layer, newest first.
    pub(crate) fn versions(&self, layer: &str) -> Vec<Value> {
        items(&self.0.call("lambda", "list_layer_versions", json!({"LayerName": layer}))["LayerVersions"])
    }

    /// The numbers of the versions of a layer, newest first.
    pub(crate) fn numbers(&self, layer: &str) -> Vec<u64> {
        self.versions(layer).iter().map(|version| version["Version"].as_u64().unwrap()).collect()
    }

    /// Removes one by hand.
    pub(crate) fn delete(&self, layer: &str, number: u64) {
        self.0.call("lambda", "delete_layer_version", json!({"LayerName": layer, "VersionNumber": number}));
    }

    /// Publishes a layer that is not mdo's, and answers its version's ARN.
    pub(crate) fn publish(&self, layer: &str, description: &str) -> String {
        let content = json!({"ZipFile": {"$zip": {"python/tints.py": "VERSION = 'tints'\n"}}});
        let layer = json!({"LayerName": layer, "Description": description, "Content": content});
        text(&self.0.call("lambda", "publish_layer_version", layer)["LayerVersionArn"])
    }

    /// The layers that a function is served with: `name:version`, in their order.
    pub(crate) fn attached(&self, function: &str) -> Vec<String> {
        attached(&self.0, function)
    }
}

/// The same at the stage of `live`.
pub(crate) fn attached(live: &Live<'_>, function: &str) -> Vec<String> {
    let arns = items(&live.function(function)["Configuration"]["Layers"]);
    let short = |arn: &Value| text(&arn["Arn"]).split(":layer:").nth(1).unwrap().to_owned();
    arns.iter().map(short).collect()
}

/// Deploys through a proxy, proves that nothing is to do afterwards, and answers the operations that wrote.
pub(crate) fn writes(project: &TestProject, proxy: &Proxy) -> Vec<String> {
    proxy.forget();
    project.mdo("deploy --yes").through(proxy).succeeds();
    let recording = proxy.recording();
    project.is_settled("");
    let mut names: Vec<_> = recording.writes().iter().map(|call| call.operation.name.clone()).collect();
    names.sort();
    names
}
