//! Looks values up in Parameter Store and in Secrets Manager: the only calls that read them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_types::SdkConfig;
use futures::future::{join, join_all};
use mdo_engine::{Cause, Error, Secrets, Signals};
use mdo_model::project::{Reference, Secret, Settings};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::AwsProvider;
use crate::client::{Aws, ConnectOptions};
use crate::query::{Answer, Query, Service};
use crate::watch::Watch;

const PARAMETERS: Service = Service { id: "SSM", host: "ssm", signing: "ssm", version: "AmazonSSM" };
const MANAGER: Service = Service {
    id: "Secrets Manager",
    host: "secretsmanager",
    signing: "secretsmanager",
    version: "secretsmanager",
};

/// How many parameters a call may ask for.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>
const PARAMETERS_A_CALL: usize = 10;

/// Where AWS keeps values, in one region.
#[derive(Debug)]
pub(crate) struct SecretStores {
    parameters: Query,
    manager: Query,
}

impl SecretStores {
    pub(crate) fn new(config: &SdkConfig, region: &str, watch: &Watch) -> Self {
        let of = |service| Query::new(service, config.clone(), region.to_owned(), watch.clone());
        Self { parameters: of(PARAMETERS), manager: of(MANAGER) }
    }

    async fn get_parameters(&self, names: &[&str]) -> Answer<Parameters> {
        let asked = json!({"Names": names, "WithDecryption": true});
        self.parameters.send_json("GetParameters", &asked).await
    }

    async fn get_secret_value(&self, id: &str) -> Answer<SecretValue> {
        self.manager.send_json("GetSecretValue", &json!({"SecretId": id})).await
    }
}

/// What `GetParameters` answers; those that are not there it leaves out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    #[serde(default)]
    parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Name")]
    name: String,
    /// `:` and the version or the label that was asked for.
    #[serde(rename = "Selector", default)]
    selector: Option<String>,
    #[serde(rename = "ARN", default)]
    arn: Option<String>,
    #[serde(rename = "Value")]
    value: Secret,
}

impl Parameter {
    fn is(&self, asked: &str) -> bool {
        let selector = self.selector.as_deref().unwrap_or_default();
        let names = [Some(self.name.as_str()), self.arn.as_deref()];
        names
            .into_iter()
            .flatten()
            .any(|name| asked == name || asked.strip_prefix(name).is_some_and(|rest| rest == selector))
    }
}

/// What `GetSecretValue` answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    /// Nothing for a secret that is bytes.
    #[serde(default)]
    secret_string: Option<Secret>,
}

type Found = Vec<(Reference, Result<Secret, Error>)>;

#[async_trait]
impl Secrets for AwsProvider {
    async fn secrets(&self, references: &BTreeSet<Reference>) -> BTreeMap<Reference, Result<Secret, Error>> {
        look_up(&self.aws, references).await
    }
}

/// What looks values up for a stack that is not on AWS.
pub struct SecretReader(Aws);

impl SecretReader {
    /// Finds region and credentials as for a deploy of the project. Makes no call yet.
    ///
    /// # Errors
    /// When no region is configured, or the AWS configuration cannot be read.
    pub async fn connect(settings: &Settings, signals: Signals) -> Result<Self, Error> {
        Ok(Self(Aws::connect(ConnectOptions::of(settings), signals).await?))
    }
}

#[async_trait]
impl Secrets for SecretReader {
    async fn secrets(&self, references: &BTreeSet<Reference>) -> BTreeMap<Reference, Result<Secret, Error>> {
        look_up(&self.0, references).await
    }
}

/// Looks all of them up at once, and tells the redactor what was found.
async fn look_up(aws: &Aws, references: &BTreeSet<Reference>) -> BTreeMap<Reference, Result<Secret, Error>> {
    let (here, elsewhere): (Vec<&Reference>, _) =
        references.iter().partition(|reference| reference.region().is_none_or(|region| region == aws.region));
    let parameters: Vec<&Reference> =
        here.iter().copied().filter(|one| matches!(one, Reference::Parameter(_))).collect();
    let mut managed: BTreeMap<&str, Vec<&Reference>> = BTreeMap::new();
    for reference in here {
        if matches!(reference, Reference::Managed { .. }) {
            managed.entry(reference.name()).or_default().push(reference);
        }
    }
    let parameters = join_all(parameters.chunks(PARAMETERS_A_CALL).map(|chunk| parameters_of(aws, chunk)));
    let managed = join_all(managed.into_iter().map(|(id, keys)| managed_of(aws, id, keys)));
    let (parameters, managed) = join(parameters, managed).await;
    let elsewhere =
        elsewhere.into_iter().map(|reference| (reference.clone(), Err(is_elsewhere(aws, reference))));
    let found: BTreeMap<_, _> = parameters.into_iter().chain(managed).flatten().chain(elsewhere).collect();
    found.values().flatten().for_each(|value| aws.redactor.learn(value));
    found
}

fn is_elsewhere(aws: &Aws, reference: &Reference) -> Error {
    let region = reference.region().unwrap_or_default();
    let message = format!("it is in {region}, and the stage in {}", aws.region);
    Error::new(Cause::Invalid, message).with_help("name one of the stage's own region")
}

async fn parameters_of(aws: &Aws, references: &[&Reference]) -> Found {
    let names: Vec<&str> = references.iter().map(|reference| reference.name()).collect();
    let on = names.join(", ");
    let answer = aws.call("ssm:GetParameters", &on, || aws.secrets.get_parameters(&names)).await;
    match answer {
        Ok(answer) => references.iter().map(|reference| of_answer(reference, &answer)).collect(),
        // One that may not be read keeps the others from being told: each for itself then.
        Err(error) if references.len() > 1 && !is_everybodys(&error) => {
            let each = references.iter().map(|one| Box::pin(parameters_of(aws, std::slice::from_ref(one))));
            join_all(each).await.into_iter().flatten().collect()
        }
        Err(error) => references.iter().map(|one| ((*one).clone(), Err(explained(error.clone())))).collect(),
    }
}

/// Whether a failure is one of every call.
fn is_everybodys(error: &Error) -> bool {
    match error.cause {
        Cause::Denied => false,
        Cause::Interrupted | Cause::Throttled => true,
        _ => error.cause.is_access(),
    }
}

fn of_answer(reference: &Reference, answer: &Parameters) -> (Reference, Result<Secret, Error>) {
    let found = answer.parameters.iter().find(|parameter| parameter.is(reference.name()));
    let value = found.map(|parameter| parameter.value.clone());
    let missing = || {
        Error::new(Cause::Gone, "there is no such parameter").with_help(
            "`aws ssm put-parameter --type SecureString` makes one; is it in the stage's account and region?",
        )
    };
    (reference.clone(), value.ok_or_else(missing))
}

async fn managed_of(aws: &Aws, id: &str, references: Vec<&Reference>) -> Found {
    let answer = aws.call("secretsmanager:GetSecretValue", id, || aws.secrets.get_secret_value(id)).await;
    let value = match answer {
        Err(error) if error.cause == Cause::Gone => Err(Error::new(Cause::Gone, "there is no such secret")
            .with_help(
                "`aws secretsmanager create-secret` makes one; is it in the stage's account and region?",
            )),
        Err(error) => Err(explained(error)),
        Ok(SecretValue { secret_string: None }) => {
            Err(Error::new(Cause::Invalid, "the secret is bytes, and a variable is a text")
                .with_help("keep it as a text, in Base64 for instance"))
        }
        Ok(SecretValue { secret_string: Some(value) }) => Ok(value),
    };
    let of = |reference: &Reference| match (&value, reference) {
        (Ok(value), Reference::Managed { key: Some(key), .. }) => member(value, key),
        (value, _) => value.clone(),
    };
    if let Ok(whole) = &value {
        aws.redactor.learn(whole);
    }
    references.into_iter().map(|reference| (reference.clone(), of(reference))).collect()
}

/// A key of a secret that is a JSON object.
fn member(secret: &Secret, key: &str) -> Result<Secret, Error> {
    let Ok(Value::Object(members)) = serde_json::from_str(secret.reveal()) else {
        return Err(Error::new(
            Cause::Invalid,
            format!("the secret is no JSON object, which could have a key `{key}`"),
        )
        .with_help("leave the `#` and the key out for the whole text"));
    };
    match members.get(key) {
        Some(Value::String(text)) => Ok(Secret::new(text)),
        Some(Value::Number(number)) => Ok(Secret::new(number.to_string())),
        Some(Value::Bool(value)) => Ok(Secret::new(value.to_string())),
        Some(_) => Err(Error::new(Cause::Invalid, format!("the value of its key `{key}` is no text"))
            .with_help("a variable takes a text, a number, true or false")),
        // The names of keys are no secrets, but what looks like one may be misplaced.
        None => Err(Error::new(Cause::Gone, format!("the secret has no key `{key}`"))
            .with_help("is it written as in the secret, upper and lower case included?")),
    }
}

/// A refusal with the way out where the key that encrypts the value is in the way.
fn explained(error: Error) -> Error {
    let code = error.answer.as_ref().map(|answer| answer.code.as_str()).unwrap_or_default();
    match code {
        "InvalidKeyId" | "DecryptionFailure" => error.with_help(
            "the key that encrypts it is disabled or gone: enable it, or store the value anew with another one",
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_answers_to_its_name_and_its_arn_with_the_version_that_was_asked_for() {
        let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/db";
        let parameter = |selector: Option<&str>| Parameter {
            name: "/db".to_owned(),
            selector: selector.map(str::to_owned),
            arn: Some(arn.to_owned()),
            value: Secret::new("x"),
        };
        assert!(parameter(None).is("/db") && parameter(None).is(arn));
        assert!(parameter(Some(":3")).is("/db:3") && parameter(Some(":3")).is(&format!("{arn}:3")));
        assert!(!parameter(None).is("/db:3") && !parameter(None).is("/d"));
    }

    #[test]
    fn a_key_of_a_secret_is_its_text_and_no_error_quotes_the_secret() {
        let secret = Secret::new(r#"{"password": "hush-hush", "port": 5432, "more": {"a": "hush"}}"#);
        let told = |secret: &Secret, key: &str| match member(secret, key) {
            Ok(value) => value.reveal().to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(told(&secret, "password"), "hush-hush");
        assert_eq!(told(&secret, "port"), "5432");
        assert_eq!(told(&secret, "more"), "the value of its key `more` is no text");
        assert_eq!(told(&secret, "user"), "the secret has no key `user`");
        let text = Secret::new("hush-hush");
        assert_eq!(told(&text, "user"), "the secret is no JSON object, which could have a key `user`");
    }
}
