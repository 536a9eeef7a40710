//! What is kept of one local stack, in the form in which it is written: unlike the model, it reveals secrets.

use std::collections::BTreeMap;

use mdo_engine::{Cause, Error};
use mdo_model::Sha256;
use mdo_model::project::{DerivativeId, FunctionName, KeyName, Permissions, Secret};
use mdo_model::stack::{Api, ApiStage, Derivative, Function, Key, KeyEnd, LogGroup, Role, Stack, WarmRule};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The format that this version of mdo writes.
pub(super) const FORMAT: u32 = 2;

/// How many versions of a function are kept.
const VERSIONS: usize = 5;

/// One local stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredStack {
    format: u32,
    #[serde(default)]
    pub(super) role: Option<Role>,
    #[serde(default)]
    pub(super) permissions: Option<Permissions>,
    #[serde(default)]
    pub(super) derivatives: BTreeMap<DerivativeId, Derivative>,
    #[serde(default)]
    pub(super) log_groups: BTreeMap<FunctionName, LogGroup>,
    #[serde(default)]
    pub(super) functions: BTreeMap<FunctionName, StoredFunction>,
    #[serde(default)]
    pub(super) api: Option<Api>,
    #[serde(default)]
    pub(super) stage: Option<ApiStage>,
    #[serde(default)]
    pub(super) keys: BTreeMap<KeyName, StoredKey>,
    #[serde(default)]
    pub(super) warm_rules: BTreeMap<FunctionName, WarmRule>,
}

impl Default for StoredStack {
    fn default() -> Self {
        Self {
            format: FORMAT,
            role: None,
            permissions: None,
            derivatives: BTreeMap::new(),
            log_groups: BTreeMap::new(),
            functions: BTreeMap::new(),
            api: None,
            stage: None,
            keys: BTreeMap::new(),
            warm_rules: BTreeMap::new(),
        }
    }
}

/// A function with the versions that are kept of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredFunction {
    /// The version that the stage's alias points at.
    pub(super) alias: u64,
    versions: BTreeMap<u64, StoredVersion>,
}

/// One published version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredVersion {
    #[serde(with = "revealed_function")]
    pub(super) function: Function,
    /// RFC 3339, UTC.
    pub(super) published: String,
}

/// A key with its value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredKey {
    pub(super) resource: Key,
    pub(super) id: String,
    #[serde(serialize_with = "reveal")]
    pub(super) value: Secret,
}

impl StoredStack {
    /// Whether nothing is left of the stack.
    pub(super) fn is_empty(&self) -> bool {
        self.role.is_none()
            && self.permissions.is_none()
            && self.derivatives.is_empty()
            && self.log_groups.is_empty()
            && self.functions.is_empty()
            && self.api.is_none()
            && self.stage.is_none()
            && self.keys.is_empty()
            && self.warm_rules.is_empty()
    }

    /// The stack, in the terms of the model.
    pub(super) fn stack(&self) -> Stack {
        let functions = self.functions.iter();
        Stack {
            role: self.role.clone(),
            permissions: self.permissions.clone(),
            derivatives: self.derivatives.clone(),
            log_groups: self.log_groups.clone(),
            functions: functions
                .filter_map(|(name, function)| Some((name.clone(), function.live()?.function.clone())))
                .collect(),
            api: self.api.clone(),
            stage: self.stage.clone(),
            keys: self.keys.iter().map(|(name, key)| (name.clone(), key.model())).collect(),
            warm_rules: self.warm_rules.clone(),
            ..Stack::default()
        }
    }

    /// Publishes a function if its code or configuration is new, moves the alias to it, and answers its version. `known` is a version that
    /// froze just this.
    pub(super) fn publish(&mut self, name: &FunctionName, function: Function, known: Option<u64>) -> u64 {
        let stored = self
            .functions
            .entry(name.clone())
            .or_insert_with(|| StoredFunction { alias: 0, versions: BTreeMap::new() });
        stored.publish(function, known)
    }

    /// The SHA-256 of the code of every version that is kept.
    pub(super) fn code(&self) -> impl Iterator<Item = Sha256> {
        self.functions
            .values()
            .flat_map(|function| function.versions.values())
            .filter_map(|version| version.function.code)
    }
}

impl StoredKey {
    /// A key with a new value: 40 random letters and digits.
    pub(super) fn new(resource: Key) -> Result<Self, Error> {
        Self::with_value(resource, Secret::new(random(40)?))
    }

    /// A key with a value that exists elsewhere already.
    pub(super) fn with_value(resource: Key, value: Secret) -> Result<Self, Error> {
        Ok(Self { resource, id: random(10)?.to_ascii_lowercase(), value })
    }

    /// The key in the model's terms, with whether its end has come.
    pub(super) fn model(&self) -> Key {
        let ends = self.resource.ends.clone().map(|end| KeyEnd::seen(end.at, &now()));
        Key { ends, ..self.resource.clone() }
    }
}

/// Random letters and digits, from the operating system's source.
pub(super) fn random(length: usize) -> Result<String, Error> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::new(Cause::Other, format!("cannot read random numbers from the system: {error}"))
        })?;
        // Four times the alphabet fits in a byte; what is beyond would favour its beginning.
        let usable = bytes.iter().filter(|byte| usize::from(**byte) < 4 * ALPHABET.len());
        let letters = usable.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        text.extend(letters.take(length - text.len()));
    }
    Ok(text)
}

impl StoredFunction {
    /// The version that the alias points at.
    pub(super) fn live(&self) -> Option<&StoredVersion> {
        self.versions.get(&self.alias)
    }

    /// The newest version.
    pub(super) fn newest(&self) -> Option<u64> {
        self.versions.last_key_value().map(|(number, _)| *number)
    }

    /// Every version, the newest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = (u64, &StoredVersion)> {
        self.versions.iter().rev().map(|(number, version)| (*number, version))
    }

    fn publish(&mut self, function: Function, known: Option<u64>) -> u64 {
        if let Some((number, version)) = known.and_then(|known| Some((known, self.versions.get_mut(&known)?)))
        {
            take_unversioned(&mut version.function, &function);
            self.alias = number;
            return number;
        }
        if let Some(mut last) = self.versions.last_entry() {
            let same = {
                let mut last = last.get().function.clone();
                take_unversioned(&mut last, &function);
                last == function
            };
            if same {
                take_unversioned(&mut last.get_mut().function, &function);
                self.alias = *last.key();
                return self.alias;
            }
        }
        self.alias = self.versions.last_key_value().map_or(0, |(number, _)| *number) + 1;
        self.versions.insert(self.alias, StoredVersion { function, published: now() });
        while self.versions.len() > VERSIONS {
            self.versions.pop_first();
        }
        self.alias
    }
}

/// Copies what Lambda does not freeze in a version.
fn take_unversioned(function: &mut Function, from: &Function) {
    function.concurrency = from.concurrency;
    function.invokers.clone_from(&from.invokers);
    function.tags.clone_from(&from.tags);
}

/// The present moment as RFC 3339 in UTC, to the millisecond.
pub(super) fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let now = now.replace_millisecond(now.millisecond()).unwrap_or(now);
    now.format(&Rfc3339).unwrap_or_default()
}

/// A day, given in days since 1970-01-01, as `2026-11-27`.
pub(super) fn day(days: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(days * 86_400).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.date().to_string()
}

fn reveal<S: serde::Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.reveal())
}

/// A function with the values of its environment in place of their fingerprints.
mod revealed_function {
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    use mdo_model::stack::Function;

    pub(super) fn serialize<S: Serializer>(function: &Function, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = serde_json::to_value(function).map_err(S::Error::custom)?;
        let environment = function.configuration.environment.iter();
        value["environment"] =
            environment.map(|(key, value)| (key.clone(), Value::from(value.reveal()))).collect();
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Function, D::Error> {
        Function::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use mdo_model::project::FunctionConfiguration;

    use super::*;

    #[test]
    fn a_secret_is_revealed_where_the_state_is_written_and_nowhere_else() {
        let mut stored = StoredStack::default();
        let environment = [("MARK".to_owned(), Secret::new("hush-hush"))].into();
        let function = Function {
            configuration: FunctionConfiguration { environment, ..FunctionConfiguration::default() },
            role: "ml_api_lambda_function".into(),
            concurrency: None,
            code: None,
            derivatives: BTreeMap::new(),
            invokers: Default::default(),
            owned: true,
            canary: None,
            tags: Default::default(),
        };
        stored.publish(&"sample".parse().unwrap(), function, None);
        let key = StoredKey::new(Key::open(true)).unwrap();
        let value = key.value.reveal().to_owned();
        stored.keys.insert("default".parse().unwrap(), key);

        let functions = serde_json::to_string(&stored.stack().functions).unwrap();
        let printed = format!("{stored:?} {:?} {functions}", stored.stack());
        assert!(printed.contains("MARK") && !printed.contains("hush-hush") && !printed.contains(&value));
        let written = serde_json::to_string(&stored).unwrap();
        assert!(written.contains("hush-hush") && written.contains(&value));
        let read: StoredStack = serde_json::from_str(&written).unwrap();
        assert_eq!(read.stack(), stored.stack());
    }
}
