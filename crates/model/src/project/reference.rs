//! Values of environment variables that are kept elsewhere: what names them. Nothing is looked up here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::problem::{Place, Problem};
use super::region::partition;
use super::{AccountId, Permissions, Secret, Settings, format};

/// What the reference to a parameter begins with.
const PARAMETER: &str = "ssm:";
/// What the reference to a secret begins with.
const MANAGED: &str = "secretsmanager:";
/// What stands before a value that begins like a reference and is none.
const LITERAL: &str = "literal:";

/// A value that is kept in Parameter Store or in Secrets Manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub enum Reference {
    /// A parameter of Systems Manager, by its name or its ARN; a version or a label may follow behind a colon.
    Parameter(String),
    /// A secret of Secrets Manager, or one key of its JSON.
    Managed {
        /// Its name or its ARN.
        secret: String,
        /// The key.
        key: Option<String>,
    },
}

impl Reference {
    /// The reference that a value is; nothing for a value that stands for itself.
    ///
    /// # Errors
    /// When it begins as one and names nothing that could be there. The value is not repeated: it may be a secret.
    pub(super) fn of(value: &str) -> Result<Option<Self>, Problem> {
        let (prefix, example, found) = if let Some(name) = value.strip_prefix(PARAMETER) {
            (PARAMETER, "ssm:/shop/db-password", Self::parameter(name))
        } else if let Some(name) = value.strip_prefix(MANAGED) {
            (MANAGED, "secretsmanager:shop/db#password", Self::managed(name))
        } else {
            return Ok(None);
        };
        found.map(Some).ok_or_else(|| {
            let message =
                format!("the value of this environment variable begins with `{prefix}` and names nothing");
            Problem::new(message).help(format!(
                "as in `{example}`; write `{LITERAL}` before a value that begins so and is no reference"
            ))
        })
    }

    fn parameter(name: &str) -> Option<Self> {
        let is_valid = match name.starts_with("arn:") {
            true => format::is_arn(name, &[("ssm", "parameter/")]),
            false => is_name(name, "_.-/:"),
        };
        is_valid.then(|| Self::Parameter(name.to_owned()))
    }

    fn managed(text: &str) -> Option<Self> {
        let (secret, key) = match text.split_once('#') {
            Some((secret, key)) => (secret, Some(key.to_owned())),
            None => (text, None),
        };
        let is_valid = match secret.starts_with("arn:") {
            true => format::is_arn(secret, &[("secretsmanager", "secret:")]),
            false => is_name(secret, "/_+=.@-"),
        };
        let has_key = key.as_ref().is_none_or(|key| !key.is_empty());
        (is_valid && has_key).then(|| Self::Managed { secret: secret.to_owned(), key })
    }

    /// The name or the ARN under which its service knows it.
    pub fn name(&self) -> &str {
        match self {
            Self::Parameter(name) => name,
            Self::Managed { secret, .. } => secret,
        }
    }

    /// The region that it names, if it names one.
    pub fn region(&self) -> Option<&str> {
        self.name().strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2))
    }

    /// The action that reads it.
    fn action(&self) -> &'static str {
        match self {
            Self::Parameter(_) => "ssm:GetParameter",
            Self::Managed { .. } => "secretsmanager:GetSecretValue",
        }
    }

    /// The ARN of what is read, where it is known which account and region that is in; else for any.
    pub fn arn(&self, partition: &str, region: &str, account: &str) -> String {
        match self {
            _ if self.name().starts_with("arn:") => self.name().to_owned(),
            Self::Parameter(name) => {
                let name = name.split(':').next().unwrap_or_default().trim_start_matches('/');
                format!("arn:{partition}:ssm:{region}:{account}:parameter/{name}")
            }
            // AWS adds six characters of its own to the name.
            Self::Managed { secret, .. } => {
                format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{secret}-??????")
            }
        }
    }
}

fn is_name(text: &str, others: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "{PARAMETER}{name}"),
            Self::Managed { secret, key: None } => write!(f, "{MANAGED}{secret}"),
            Self::Managed { secret, key: Some(key) } => write!(f, "{MANAGED}{secret}#{key}"),
        }
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

/// What is wrong with a reference.
pub(super) fn check(text: &str) -> Option<Problem> {
    match Reference::of(text) {
        Ok(Some(_)) => None,
        Ok(None) => Some(
            Problem::new("this names neither a parameter nor a secret")
                .help("as in `ssm:/shop/db-password` or `secretsmanager:shop/db#password`"),
        ),
        Err(problem) => Some(problem),
    }
}

/// The value of a variable as files have it: a text, or what is kept elsewhere with who looks it up.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Variable {
    Text(Secret),
    Kept(Kept),
}

/// A value that is kept elsewhere.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Where: `ssm:` and the name of a parameter, or `secretsmanager:`, the name of a secret and, after a `#`, a key of its JSON.
    #[schemars(extend("format" = "secret-reference", "examples" = ["ssm:/shop/db-password"]))]
    secret: String,
    /// Who looks it up: `deploy`, or the `function` when it runs. Its variable holds the reference then, and the project's role may
    /// read just that.
    #[serde(default)]
    #[schemars(extend("default" = "deploy"))]
    resolve: Resolver,
}

/// Who looks a value up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Resolver {
    #[default]
    Deploy,
    Function,
}

impl JsonSchema for Variable {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Variable".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kept = Kept::json_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string", "format": "environment-value" }, kept] })
    }
}

/// A variable whose value is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referred {
    /// What names the value.
    pub reference: Reference,
    /// Where that was written, if it was in a file.
    pub place: Option<Place>,
    /// Whether the function looks it up, so that its variable holds the reference.
    pub by_function: bool,
}

impl Variable {
    /// What the variable holds as far as that is known, and what names its value where that is kept elsewhere. Whatever is
    /// wrong with a reference has been said before.
    pub(super) fn read(&self, place: Option<&Place>) -> (Secret, Option<Referred>) {
        let (text, by_function) = match self {
            Self::Text(text) => (text.reveal(), false),
            Self::Kept(kept) => (kept.secret.as_str(), kept.resolve == Resolver::Function),
        };
        if let Some(rest) = text.strip_prefix(LITERAL) {
            let is_escaped = [PARAMETER, MANAGED, LITERAL].iter().any(|prefix| rest.starts_with(prefix));
            return (Secret::new(if is_escaped { rest } else { text }), None);
        }
        let reference = Reference::of(text).ok().flatten();
        let referred = reference.map(|reference| Referred { reference, place: place.cloned(), by_function });
        (Secret::new(text), referred)
    }
}

/// What functions may read that look values up themselves.
pub(super) fn permissions<'a>(
    referred: impl Iterator<Item = &'a Referred>,
    region: Option<&str>,
    account: Option<&AccountId>,
) -> Permissions {
    let partition = region.map_or("aws", partition);
    let (region, account) = (region.unwrap_or("*"), account.map_or("*", AccountId::as_str));
    let mut all = Permissions::default();
    for Referred { reference, .. } in referred.filter(|referred| referred.by_function) {
        all.allow(reference.action(), [&reference.arn(partition, region, account)]);
    }
    all
}

impl Settings {
    /// What a deploy has to look up for its functions, with each variable that needs it.
    pub fn references(&self) -> BTreeMap<&Reference, Vec<(&super::FunctionName, &String, &Referred)>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, function) in &self.functions {
            for (variable, referred) in function.referred.iter().filter(|(_, one)| !one.by_function) {
                all.entry(&referred.reference).or_default().push((name, variable, referred));
            }
        }
        all
    }

    /// Every variable that a deploy looks up, as the functions have them.
    pub fn referring_variables(&self) -> BTreeSet<&String> {
        self.references().into_values().flatten().map(|(_, variable, _)| variable).collect()
    }

    /// Puts values in the place of what names them.
    pub fn put_values(&mut self, values: &BTreeMap<Reference, Secret>) {
        for function in self.functions.values_mut() {
            for (variable, referred) in function.referred.iter().filter(|(_, one)| !one.by_function) {
                if let Some(value) = values.get(&referred.reference) {
                    function.configuration.environment.insert(variable.clone(), value.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_as_it_is_written() {
        for text in [
            "ssm:/shop/db-password",
            "ssm:plain",
            "ssm:/shop/db:3",
            "ssm:arn:aws:ssm:eu-west-1:123456789012:parameter/shop/db",
            "secretsmanager:shop/db",
            "secretsmanager:shop/db#password",
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3#a.b",
        ] {
            assert_eq!(Reference::of(text).unwrap().unwrap().to_string(), text);
        }
        for text in [
            "ssm:",
            "ssm: x",
            "ssm:arn:aws:s3:::x",
            "secretsmanager:",
            "secretsmanager:a#",
            "secretsmanager:a b",
        ] {
            let problem = Reference::of(text).unwrap_err();
            assert!(problem.help.unwrap().contains("literal:"), "{text}");
        }
        assert_eq!(Reference::of("arn:aws:ssm:x").unwrap(), None);
    }

    #[test]
    fn what_stands_for_itself_loses_the_word_that_says_so() {
        let read = |text: &str| {
            let (value, referred) = Variable::Text(Secret::new(text)).read(None);
            (value.reveal().to_owned(), referred.is_some())
        };
        assert_eq!(read("literal:ssm:/x"), ("ssm:/x".to_owned(), false));
        assert_eq!(read("literal:literal:ssm:/x"), ("literal:ssm:/x".to_owned(), false));
        assert_eq!(read("literal:x"), ("literal:x".to_owned(), false));
        assert_eq!(read("ssm:/x"), ("ssm:/x".to_owned(), true));
    }

    #[test]
    fn a_function_may_read_just_what_it_looks_up() {
        let referred = |text: &str| {
            let reference = Reference::of(text).unwrap().unwrap();
            Referred { reference, place: None, by_function: true }
        };
        let all = [referred("ssm:/shop/db:3"), referred("secretsmanager:shop/db#key")];
        let account = "123456789012".parse().unwrap();
        let shown = |permissions: Permissions| permissions.allow.into_values().flatten().collect::<Vec<_>>();
        assert_eq!(
            shown(permissions(all.iter(), Some("us-gov-west-1"), Some(&account))),
            [
                "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:shop/db-??????",
                "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/shop/db",
            ]
        );
        assert_eq!(shown(permissions(all[..1].iter(), None, None)), ["arn:aws:ssm:*:*:parameter/shop/db"]);
    }
}
