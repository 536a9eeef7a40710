//! A stage in the forms of other tools, for who leaves mdo: an OpenAPI document, a CloudFormation template, Terraform. Pure functions from
//! the model; no secret is written, and nothing is asked of AWS.

mod cloudformation;
mod ids;
mod openapi;
mod server;
mod terraform;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use mdo_model::project::{Artifacts, FunctionName, Names, Referred, Secret};
use mdo_model::stack::{AccessLogs, Stack};
use serde::Serialize;
use serde_json::{Value, json};

pub use self::cloudformation::cloudformation;
pub use self::openapi::{openapi, openapi_to_servers};
pub use self::terraform::terraform;
pub use self::text::locate;

/// What is exported.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// What the files ask for.
    pub stack: &'a Stack,
    /// What things are called.
    pub names: &'a Names,
    /// Where zips of the project go.
    pub artifacts: Option<&'a Artifacts>,
    /// The variables of each function whose values are kept elsewhere.
    pub referred: &'a ReferredVariables,
    /// The name that clients of a hosted stage use, if it is not the load balancer's own.
    pub domain: Option<&'a str>,
}

/// Variables by function and name, with what names the value of each.
pub type ReferredVariables = BTreeMap<FunctionName, BTreeMap<String, Referred>>;

/// The variables that have one value in all functions that have them: one input stands for them.
fn shared_variables(stack: &Stack) -> BTreeSet<&str> {
    let mut values: BTreeMap<&str, BTreeSet<&Secret>> = BTreeMap::new();
    let functions = stack.functions.values().map(|function| &function.configuration.environment);
    let hosted = stack.server.iter().flat_map(|server| server.functions.values());
    for (key, value) in functions.chain(hosted.map(|function| &function.environment)).flatten() {
        values.entry(key).or_default().insert(value);
    }
    values.into_iter().filter(|(_, values)| values.len() == 1).map(|(key, _)| key).collect()
}

/// The words that the input for a variable of a function is named by, and what it is.
fn input<'a>(shared: &BTreeSet<&str>, function: &'a FunctionName, key: &'a str) -> (Vec<&'a str>, String) {
    let (words, whose) = match shared.contains(key) {
        true => (vec!["environment", key], "the functions"),
        false => (vec![function.as_str(), "environment", key], function.as_str()),
    };
    (words, format!("The value of {key} in the environment of {whose}"))
}

/// Sets a property that is there.
fn set(properties: &mut Value, key: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        properties[key] = json!(value);
    }
}

/// Where access logs go, where they go anywhere.
fn access_log_arn(logs: Option<&AccessLogs>) -> Option<&String> {
    match logs? {
        AccessLogs::Off => None,
        AccessLogs::To(arn) => Some(arn),
    }
}
