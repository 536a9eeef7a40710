//! Shapes that both kinds of files share: an environment, a setting that can be switched off, a warm rule.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::Rate;
use super::format::{self, ENVIRONMENT_NAME_PATTERN};
use super::reference::Variable;

/// Environment variables by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Environment(pub BTreeMap<String, Variable>);

impl JsonSchema for Environment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Environment".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "format": "environment-name", "pattern": ENVIRONMENT_NAME_PATTERN },
            "additionalProperties": Variable::json_schema(generator),
        })
    }
}

/// The word `false`, which switches a setting off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Off;

impl<'de> Deserialize<'de> for Off {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            Err(serde::de::Error::custom("only `false` switches a setting"))
        } else {
            Ok(Self)
        }
    }
}

impl JsonSchema for Off {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Off".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean", "const": false, "description": "`false`: none" })
    }
}

/// The ARN of what access logs go to.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct AccessLogArn(pub String);

format::format_schema!(
    AccessLogArn,
    "AccessLogArn",
    "access-log-arn",
    "arn:aws:logs:us-east-1:123456789012:log-group:requests"
);

/// A setting, or `false` for none.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OrOff<T> {
    Off(Off),
    On(T),
}

/// A warm rule: `false`, a rate, or a rate and a concurrency.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum WarmSetting<T> {
    Off(Off),
    Rate(Rate),
    Rule(T),
}
