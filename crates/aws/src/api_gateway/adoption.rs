//! An API that mdo did not make: which one is taken over, and what hangs on it that its users know.

use std::collections::BTreeSet;

use aws_sdk_apigateway::types::{Op, RestApi};
use mdo_engine::{Cause, Error, Scope, TakenOver};
use mdo_model::project::{ApiId, Method, Names};
use serde_json::Value;

use super::definition::method_key;
use super::observe::{Identity, Parts};
use super::observe::{identity, list, ours, owner, parts, stage_names};
use super::{patch, usage_plan, when_settled};
use crate::client::Aws;
use crate::errors;

/// The API that is to be the project's, whatever it is called.
///
/// # Errors
/// When there is no such API, it is another project's, something of it would be lost, or the project has an API already.
pub(super) async fn find(
    aws: &Aws,
    names: &Names,
    id: &ApiId,
    scope: &Scope,
) -> Result<Option<(Identity, Parts)>, Error> {
    let apis = list(aws).await?;
    let Some(api) = apis.iter().find(|api| api.id() == Some(id.as_str())) else {
        let message = format!("there is no REST API {id} in {}", aws.region);
        return Err(Error::new(Cause::Gone, message).with_help(
            "the id is the first part of its URL, https://{id}.execute-api.…; an HTTP API or a WebSocket API cannot be taken over",
        ));
    };
    if let Some(other) = ours(&apis, names).into_iter().find(|api| api.id() != Some(id.as_str())) {
        let message = format!(
            "the project has a REST API already: {}, which {id} cannot take the place of",
            other.id().unwrap_or_default()
        );
        return Err(Error::new(Cause::Exists, message)
            .with_help("leave --adopt-api out, or destroy every stage of the project first"));
    }
    check_ours_to_take(api, id, names, scope)?;
    let identity = identity(api, names);
    Ok(parts(aws, names, id.as_str()).await?.map(|parts| (identity, parts)))
}

/// Refuses an API of another project, and one with a policy of its own: what is written over it has none, so that whoever the
/// policy kept out would be let in.
fn check_ours_to_take(api: &RestApi, id: &ApiId, names: &Names, scope: &Scope) -> Result<(), Error> {
    let owner = owner(api);
    if owner.is_some_and(|project| project != names.project.as_str()) && !scope.adopt {
        return Err(errors::not_ours("the REST API", id.as_str(), owner));
    }
    if api.policy().is_some_and(|policy| !policy.is_empty()) && owner.is_none() {
        let message = format!("the REST API {id} has a resource policy, which mdo would take off it");
        return Err(Error::new(Cause::NotOurs, message).with_help(format!(
            "if nobody needs it any more, remove it first: aws apigateway update-rest-api --rest-api-id {id} --patch-operations op=replace,path=/policy,value=''"
        )));
    }
    Ok(())
}

/// What hangs on an API that is about to be taken over.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn read(
    aws: &Aws,
    names: &Names,
    (identity, parts): (&Identity, &Parts),
) -> Result<TakenOver, Error> {
    let id = identity.id.as_str();
    let routes = async {
        match parts.stage {
            Some(_) => served(aws, names, id).await,
            None => Ok(BTreeSet::new()),
        }
    };
    let stages = stage_names(aws, names, id);
    let plans = usage_plan::of_others(aws, names, id);
    let (routes, stages, usage_plans) = futures::try_join!(routes, stages, plans)?;
    Ok(TakenOver { id: id.to_owned(), name: identity.name.clone(), routes, stages, usage_plans })
}

/// What the stage answers, going by the deployment that it serves.
async fn served(aws: &Aws, names: &Names, id: &str) -> Result<BTreeSet<String>, Error> {
    let stage = names.stage.as_str();
    let answer = aws
        .call("apigateway:GetExport", stage, || {
            let request = aws.apigateway.get_export().rest_api_id(id).stage_name(stage);
            request.export_type("oas30").accepts("application/json").send()
        })
        .await?;
    let body = answer.body.map(aws_sdk_apigateway::primitives::Blob::into_inner).unwrap_or_default();
    let document: Value = serde_json::from_slice(&body).map_err(|error| {
        Error::new(Cause::Other, format!("cannot read what stage {stage} of REST API {id} serves: {error}"))
    })?;
    Ok(routes(&document))
}

/// The methods and paths of an OpenAPI document.
fn routes(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = Method::all().filter(|method| item.get(method_key(*method)).is_some());
        methods.map(|method| format!("{} {path}", method.as_str())).collect::<Vec<_>>()
    };
    paths.flat_map(of_path).collect()
}

/// Gives an API the name by which the project finds it from then on.
pub(super) async fn rename(aws: &Aws, names: &Names, id: &str) -> Result<(), Error> {
    let name = names.api();
    when_settled(aws, || {
        aws.call("apigateway:UpdateRestApi", id, || {
            let request = aws.apigateway.update_rest_api().rest_api_id(id);
            request.patch_operations(patch(Op::Replace, "/name", Some(name.clone()))).send()
        })
    })
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_stage_answers_is_each_method_of_each_path() {
        let document = json!({"paths": {
            "/old": {"get": {}, "x-amazon-apigateway-any-method": {}, "parameters": []},
            "/items/{id}": {"options": {}},
        }});
        let wanted = ["ANY /old", "GET /old", "OPTIONS /items/{id}"];
        assert_eq!(routes(&document), wanted.map(str::to_owned).into());
        assert_eq!(routes(&json!({})), BTreeSet::new());
    }
}
