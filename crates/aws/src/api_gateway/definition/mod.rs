//! The OpenAPI document of an API, and the record of one on a stage. Pure: no calls.

pub(crate) mod record;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use mdo_model::project::{FunctionName, Method, Names, Route};

pub(crate) use write::{INTEGRATION, body, is_mdos, method_key, version};

/// What browsers may send to an API with CORS: what keys, JSON and signed requests need. The console's own spelling.
const CORS_HEADERS: &str = "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token";

/// The status code that answers a preflight request.
const PREFLIGHT_STATUS: &str = "200";

/// The request template of a preflight's mock integration: it alone decides the status code.
const PREFLIGHT_TEMPLATE: &str = r#"{"statusCode":200}"#;

/// Where the integrations of a definition point: at the functions of one project in one account and region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integrations<'a> {
    pub partition: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub names: &'a Names,
}

impl Integrations<'_> {
    /// The URI that calls a function through the alias that the stage's variable names.
    fn uri(&self, function: &FunctionName) -> String {
        let (before, after) = self.around();
        format!("{before}{}{after}", self.names.function(function))
    }

    fn around(&self) -> (String, &'static str) {
        let Self { partition, region, account, .. } = self;
        let before = format!(
            "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/arn:{partition}:lambda:{region}:{account}:function:"
        );
        (before, ":${stageVariables.alias}/invocations")
    }
}

/// The paths that answer a preflight request when CORS is on, with the methods that each allows.
///
/// A path with an `OPTIONS` route of its own has none. A path with an `ANY` route has one, though `ANY` alone would let
/// the preflight through to the function: a browser sends no key with it, so that a keyed route would refuse it.
fn preflights<'a>(routes: impl Iterator<Item = &'a Route>) -> BTreeMap<String, String> {
    let mut methods: BTreeMap<&str, BTreeSet<Method>> = BTreeMap::new();
    for route in routes {
        methods.entry(route.path()).or_default().insert(route.method());
    }
    methods
        .into_iter()
        .filter(|(_, methods)| !methods.contains(&Method::Options))
        .map(|(path, methods)| (path.to_owned(), allowed(methods)))
        .collect()
}

fn allowed(mut methods: BTreeSet<Method>) -> String {
    use Method::{Any, Delete, Get, Head, Options, Patch, Post, Put};
    if methods.remove(&Any) {
        methods.extend([Delete, Get, Head, Patch, Post, Put]);
    }
    methods.insert(Options);
    methods.into_iter().map(Method::as_str).collect::<Vec<_>>().join(",")
}

/// The headers that answer a preflight request.
fn preflight_headers(allowed: &str) -> [(&'static str, String); 3] {
    [
        ("Access-Control-Allow-Headers", CORS_HEADERS.to_owned()),
        ("Access-Control-Allow-Methods", allowed.to_owned()),
        ("Access-Control-Allow-Origin", "*".to_owned()),
    ]
}
