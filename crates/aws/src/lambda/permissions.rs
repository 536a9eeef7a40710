//! The statements on a function's alias that let the API's stage and the warm rule call it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mdo_engine::{Cause, Error};
use mdo_model::project::{FunctionName, Names};
use mdo_model::stack::Invoker;
use serde_json::Value;

use crate::client::Aws;

/// The pauses between attempts at a statement, in milliseconds.
const NOT_YET_PAUSES_MS: [u64; 5] = [100, 250, 500, 1000, 2000];

const INVOKE: &str = "lambda:InvokeFunction";

/// Who may call, and as what source: as far as mdo writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The service, such as `events.amazonaws.com`.
    pub principal: String,
    /// The ARN of what calls.
    pub source: String,
}

/// The statements of an alias's policy by their ids; one that mdo would not write has no content.
pub(crate) type Statements = BTreeMap<String, Option<Statement>>;

/// Reads an alias's policy. An alias without one has no statements.
pub(crate) async fn read(aws: &Aws, names: &Names, function: &FunctionName) -> Result<Statements, Error> {
    let name = names.function(function);
    let stage = names.stage.as_str();
    let answer = aws
        .call("lambda:GetPolicy", &name, || {
            aws.lambda.get_policy().function_name(&name).qualifier(stage).send()
        })
        .await;
    match answer {
        Ok(answer) => Ok(parse(answer.policy().unwrap_or_default())),
        Err(error) if error.is(&Cause::Gone) => Ok(Statements::new()),
        Err(error) => Err(error),
    }
}

fn parse(policy: &str) -> Statements {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = document["Statement"].as_array().into_iter().flatten();
    statements
        .filter_map(|statement| Some((statement["Sid"].as_str()?.to_owned(), parse_statement(statement))))
        .collect()
}

fn parse_statement(statement: &Value) -> Option<Statement> {
    if statement["Effect"] != "Allow" || statement["Action"] != INVOKE {
        return None;
    }
    let conditions = statement["Condition"].as_object()?;
    let [(_, condition)] = conditions.iter().collect::<Vec<_>>()[..] else {
        return None;
    };
    let [(key, source)] = condition.as_object()?.iter().collect::<Vec<_>>()[..] else {
        return None;
    };
    let source = key.eq_ignore_ascii_case("aws:SourceArn").then(|| source.as_str())??;
    let principal = statement["Principal"]["Service"].as_str()?;
    Some(Statement { principal: principal.to_owned(), source: source.to_owned() })
}

/// The id of the API that the stage's statement names.
pub(crate) fn api_of(names: &Names, statements: &Statements) -> Option<String> {
    let statement =
        ids_of(names, Invoker::Api).iter().find_map(|id| statements.get(id)?.as_ref())?.source.clone();
    let (_, path) = statement.rsplit_once(':')?;
    path.split_once('/').map(|(api, _)| api.to_owned())
}

/// The ids that a statement may have: one that changes is added under the other id before the old one is removed, so that
/// there is no moment at which the caller is refused.
fn ids_of(names: &Names, invoker: Invoker) -> [String; 2] {
    let first = match invoker {
        Invoker::Api => names.api_statement(),
        Invoker::WarmRule => names.warm_statement(),
    };
    let second = format!("{first}-2");
    [first, second]
}

/// What the statement of an invoker has to say; `None` while the API has no id.
fn wanted(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    invoker: Invoker,
    api: Option<&str>,
) -> Result<Option<Statement>, Error> {
    let (principal, source) = match invoker {
        Invoker::Api => match api {
            Some(api) => {
                ("apigateway.amazonaws.com", aws.arn("execute-api", format!("{api}/{}/*/*", names.stage))?)
            }
            None => return Ok(None),
        },
        Invoker::WarmRule => {
            ("events.amazonaws.com", aws.arn("events", format!("rule/{}", names.warm_rule(function)))?)
        }
    };
    Ok(Some(Statement { principal: principal.to_owned(), source }))
}

/// Who may call, by the statements that are as they have to be and the only ones for their invoker.
pub(crate) fn invokers(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    statements: &Statements,
    api: Option<&str>,
) -> Result<BTreeSet<Invoker>, Error> {
    let mut invokers = BTreeSet::new();
    for invoker in [Invoker::Api, Invoker::WarmRule] {
        let live: Vec<_> = ids_of(names, invoker).iter().filter_map(|id| statements.get(id)).collect();
        let wanted = wanted(aws, names, function, invoker, api)?;
        if wanted.is_some() && live == [&wanted] {
            invokers.insert(invoker);
        }
    }
    Ok(invokers)
}

/// Lets an invoker call the alias. A statement for it that says something else goes once the right one is there.
pub(crate) async fn add(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    invoker: Invoker,
    api: Option<&str>,
) -> Result<(), Error> {
    let Some(statement) = wanted(aws, names, function, invoker, api)? else {
        return Ok(());
    };
    let [first, second] = ids_of(names, invoker);
    match add_statement(aws, names, function, &first, &statement).await {
        Err(error) if error.is(&Cause::Exists) => {
            let live = read(aws, names, function).await?;
            let is_right = |id: &String| live.get(id) == Some(&Some(statement.clone()));
            if is_right(&first) {
                return remove_statement(aws, names, function, &second).await;
            }
            if !is_right(&second) {
                remove_statement(aws, names, function, &second).await?;
                add_statement(aws, names, function, &second, &statement).await?;
            }
            remove_statement(aws, names, function, &first).await
        }
        answer => answer,
    }
}

/// Adds a statement, and tries again while the alias has not got around or another statement is being added.
async fn add_statement(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    id: &str,
    statement: &Statement,
) -> Result<(), Error> {
    for pause in NOT_YET_PAUSES_MS {
        match try_to_add(aws, names, function, id, statement).await {
            Err(Error { cause: Cause::Gone | Cause::Concurrent | Cause::Busy, .. }) => {
                aws.pause(Duration::from_millis(pause)).await?;
            }
            answer => return answer,
        }
    }
    try_to_add(aws, names, function, id, statement).await
}

async fn try_to_add(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    id: &str,
    statement: &Statement,
) -> Result<(), Error> {
    let name = names.function(function);
    aws.call("lambda:AddPermission", &name, || {
        aws.lambda
            .add_permission()
            .function_name(&name)
            .qualifier(names.stage.as_str())
            .statement_id(id)
            .action(INVOKE)
            .principal(&statement.principal)
            .source_arn(&statement.source)
            .send()
    })
    .await
    .map(drop)
}

/// Takes an invoker's permission away. One that is not there is no error.
pub(crate) async fn remove(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    invoker: Invoker,
) -> Result<(), Error> {
    let live = read(aws, names, function).await?;
    for id in ids_of(names, invoker).iter().filter(|id| live.contains_key(*id)) {
        remove_statement(aws, names, function, id).await?;
    }
    Ok(())
}

async fn remove_statement(aws: &Aws, names: &Names, function: &FunctionName, id: &str) -> Result<(), Error> {
    let name = names.function(function);
    let answer = aws
        .call("lambda:RemovePermission", &name, || {
            let request = aws.lambda.remove_permission().function_name(&name);
            request.qualifier(names.stage.as_str()).statement_id(id).send()
        })
        .await;
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(action: &str, condition: Value) -> String {
        json!({"Version": "2012-10-17", "Id": "default", "Statement": [{
            "Sid": "mdo-api-dev",
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": action,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:ml_api_x:dev",
            "Condition": condition,
        }]})
        .to_string()
    }

    #[test]
    fn a_statement_tells_the_api() {
        let names =
            Names { project: "ml_api".parse().expect("a name"), stage: "dev".parse().expect("a name") };
        let source = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/dev/*/*";
        let statements = parse(&policy(INVOKE, json!({"ArnLike": {"AWS:SourceArn": source}})));
        let expected =
            Statement { principal: "apigateway.amazonaws.com".to_owned(), source: source.to_owned() };
        assert_eq!(statements["mdo-api-dev"], Some(expected));
        assert_eq!(api_of(&names, &statements).as_deref(), Some("a1b2c3"));
    }

    #[test]
    fn a_statement_that_says_anything_else_has_no_content() {
        let source = json!({"ArnLike": {"AWS:SourceArn": "arn:aws:x:y:z:a"}});
        assert_eq!(parse(&policy("lambda:*", source))["mdo-api-dev"], None);
        assert_eq!(parse(&policy(INVOKE, Value::Null))["mdo-api-dev"], None);
        let two = json!({"ArnLike": {"AWS:SourceArn": "a"}, "StringEquals": {"AWS:SourceAccount": "1"}});
        assert_eq!(parse(&policy(INVOKE, two))["mdo-api-dev"], None);
        assert!(parse("").is_empty());
    }
}
