//! The texts that the schema knows as formats, each checked by the type or the rule that it belongs to.

use std::fmt::Display;
use std::str::FromStr;

use super::api_timeout::ApiTimeout;
use super::problem::Problem;
use super::{
    AccountId, DerivativeName, FunctionName, MediaType, ProjectName, Rate, Reference, Route, StageName,
    ZipSource, permission, reference, region, route, runtime, server, tags,
};
use crate::Sha256;

/// What is wrong with `text`, which the schema declares to be of `format`; nothing for formats that are not ours.
pub(super) fn check(format: &str, text: &str) -> Option<Problem> {
    match format {
        "project-name" => parse::<ProjectName>(text),
        "stage-name" => parse::<StageName>(text),
        "derivative-name" => parse::<DerivativeName>(text),
        "function-name" => parse::<FunctionName>(text),
        "account-id" => parse::<AccountId>(text),
        "rate" => parse::<Rate>(text),
        "route" => route::problem(text),
        "api-timeout" => parse::<ApiTimeout>(text),
        "zip-source" => zip_source(text),
        "sha256" => parse::<Sha256>(text),
        "media-type" => parse::<MediaType>(text),
        "runtime" => runtime::check(text),
        "environment-name" => environment_name(text),
        "environment-value" => environment_value(text),
        "secret-reference" => reference::check(text),
        "region" => region::check(text),
        "role-arn" => arn(text, "a role", &[("iam", "role/")], "arn:aws:iam::123456789012:role/name"),
        "layer-arn" => arn(
            text,
            "a layer version",
            &[("lambda", "layer:")],
            "arn:aws:lambda:us-east-1:123456789012:layer:name:1",
        ),
        "kms-arn" => arn(
            text,
            "a KMS key",
            &[("kms", "key/"), ("kms", "alias/")],
            "arn:aws:kms:us-east-1:123456789012:key/id",
        ),
        "deadletter-arn" => arn(
            text,
            "a queue or a topic",
            &[("sqs", ""), ("sns", "")],
            "arn:aws:sqs:us-east-1:123456789012:name",
        ),
        "access-log-arn" => arn(
            text,
            "a log group or a Firehose stream for API Gateway",
            &[("logs", "log-group:"), ("firehose", "deliverystream/amazon-apigateway-")],
            "arn:aws:logs:us-east-1:123456789012:log-group:requests",
        ),
        "certificate-arn" => arn(
            text,
            "a certificate",
            &[("acm", "certificate/")],
            "arn:aws:acm:us-east-1:123456789012:certificate/id",
        ),
        "server-secret" => server::server_secret(text),
        "iam-action" => permission::action(text),
        "resource-arn" => permission::resource(text),
        "policy-arn" => permission::policy(text),
        "tag-name" => tags::name(text),
        "tag-value" => tags::value(text),
        "domain" => server::domain(text),
        "image-reference" => server::image_reference(text),
        "image-source" => server::image_source(text),
        "url-path" => server::url_path(text),
        "subnet-id" => id(text, "a subnet", "subnet-"),
        "security-group-id" => id(text, "a security group", "sg-"),
        _ => None,
    }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Option<Problem> {
    text.parse::<T>().err().map(|error| Problem::new(error.to_string()))
}

fn id(text: &str, what: &str, prefix: &str) -> Option<Problem> {
    let valid = text
        .strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    (!valid).then(|| Problem::new(format!("`{text}` is not the id of {what}: it starts with `{prefix}`")))
}

fn arn(text: &str, what: &str, kinds: &[(&str, &str)], example: &str) -> Option<Problem> {
    (!is_arn(text, kinds)).then(|| {
        Problem::new(format!("`{text}` is not the ARN of {what}")).help(format!("as in `{example}`"))
    })
}

/// Whether a text is the ARN of one of these services' resources, each with what its last part begins with.
pub(super) fn is_arn(text: &str, kinds: &[(&str, &str)]) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, service, region, account, resource] => {
            partition.starts_with("aws")
                && account.parse::<AccountId>().is_ok()
                && (service == "iam" || region::may_be(region))
                && kinds.iter().any(|(known, prefix)| {
                    *known == service && resource.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())
                })
        }
        _ => false,
    }
}

/// The pattern of a name of an environment variable.
pub(super) const ENVIRONMENT_NAME_PATTERN: &str = "^[a-zA-Z][a-zA-Z0-9_]+$";

/// The environment variables that Lambda sets itself and lets nobody else set, all of them. Others that begin with `AWS_` are
/// everybody's. From AWS's page of the defined runtime environment variables.
const RESERVED_NAMES: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// What is wrong with the name of an environment variable, if Lambda would refuse it.
pub(super) fn environment_name(name: &str) -> Option<Problem> {
    if RESERVED_NAMES.contains(&name) {
        return Some(
            Problem::new(format!("the environment variable `{}` is reserved by Lambda", shown(name)))
                .help("choose another name"),
        );
    }
    let valid = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (!valid).then(|| {
        Problem::new(format!(
            "`{}` is not the name of an environment variable: at least 2 letters, digits and `_`, starting with a letter",
            shown(name)
        ))
    })
}

/// What is wrong with the value of an environment variable, if no process can have it. It is not repeated.
pub(super) fn environment_value(value: &str) -> Option<Problem> {
    let has_nul = || {
        value.contains('\0').then(|| {
            Problem::new(
            "the value of this environment variable holds a NUL character, which ends it for every program",
        )
        .help("remove the character, or write the value in base64")
        })
    };
    Reference::of(value).err().or_else(has_nul)
}

fn zip_source(text: &str) -> Option<Problem> {
    let error = text.parse::<ZipSource>().err()?;
    Some(Problem::new(error.to_string()).help(error.help()))
}

/// A name as far as it is one: from where it is none any more, it may be a value.
pub(super) fn shown(name: &str) -> String {
    match name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        Some(end) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

macro_rules! format_schema {
    ($type:ty, $name:literal, $format:literal, $example:literal $(, $pattern:literal)?) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "format": $format,
                    "examples": [$example],
                    $("pattern": $pattern)?
                })
            }
        }
    };
}

pub(super) use format_schema;

format_schema!(ProjectName, "ProjectName", "project-name", "ml_api", "^[A-Za-z][A-Za-z0-9_-]{0,31}$");
format_schema!(StageName, "StageName", "stage-name", "dev", "^[A-Za-z][A-Za-z0-9_-]{0,31}$");
format_schema!(
    DerivativeName,
    "DerivativeName",
    "derivative-name",
    "sklearn",
    "^[A-Za-z][A-Za-z0-9_-]{0,47}$"
);
format_schema!(AccountId, "AccountId", "account-id", "123456789012", "^[0-9]{12}$");
format_schema!(Rate, "Rate", "rate", "5m");
format_schema!(Route, "Route", "route", "GET /samples/{id}");
format_schema!(MediaType, "MediaType", "media-type", "image/png");
format_schema!(ApiTimeout, "ApiTimeout", "api-timeout", "29s", "^[0-9]+ *m?s$");
