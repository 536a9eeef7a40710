//! `MDO_STAGE`: what a stage adds to its image. It holds the functions' environments, and keys as digests only.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::reading::{Unreadable, read};
use super::{FORMAT, MOST_BYTES, STAGE_VARIABLE};
use crate::project::{FunctionName, KeyName, Secret, StageName, Throttle};
use crate::{Sha256, thousands};

/// What a stage adds to its image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenStage {
    /// [`FORMAT`].
    pub format: u32,
    /// The stage; it is the first segment of every path.
    pub stage: StageName,
    /// The environment of each function.
    #[serde(default)]
    pub environment: BTreeMap<FunctionName, BTreeMap<String, Secret>>,
    /// Variables of the container's own environment that every function gets: what ECS injects from its stores of secrets.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
    /// The stage's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The keys that are let in.
    #[serde(default)]
    pub keys: BTreeMap<KeyName, FrozenKey>,
    /// Requests per second and burst of each key, for all tasks together.
    #[serde(default)]
    pub throttle: Option<Throttle>,
    /// How many tasks share the throttle.
    #[serde(default = "one")]
    pub tasks: u32,
    /// The memory of a task, in MB; without it sandboxes are bounded by their number alone.
    #[serde(default)]
    pub memory: Option<u32>,
    /// How long a server that is told to stop goes on serving, in seconds: until the load balancer has noticed.
    #[serde(default)]
    pub lame_duck: u16,
}

/// A key that is recognised by the digest of its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenKey {
    /// Its id.
    pub id: String,
    /// The SHA-256 of its value.
    pub sha256: Sha256,
}

/// The document does not fit into a task definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{STAGE_VARIABLE} would be {} bytes, and a task definition holds {}{}", thousands(*bytes as u64), thousands(MOST_BYTES as u64), largest(.function.as_ref(), *.environment))]
pub struct TooLarge {
    /// How large it would be.
    pub bytes: usize,
    /// The function with the largest environment.
    pub function: Option<FunctionName>,
    /// How large that is, in bytes of names and values.
    pub environment: usize,
}

fn largest(function: Option<&FunctionName>, bytes: usize) -> String {
    match function {
        Some(function) => {
            let bytes = thousands(bytes as u64);
            format!(
                ": the environment of function {function} is the largest part ({bytes} bytes); move values into a file of its package, or into `secrets`"
            )
        }
        None => String::new(),
    }
}

fn one() -> u32 {
    1
}

impl FrozenStage {
    /// A stage with nothing of its own but its name.
    pub fn new(stage: StageName) -> Self {
        Self {
            format: FORMAT,
            stage,
            environment: BTreeMap::new(),
            secrets: BTreeSet::new(),
            variables: BTreeMap::new(),
            keys: BTreeMap::new(),
            throttle: None,
            tasks: one(),
            memory: None,
            lame_duck: 0,
        }
    }

    /// Reads what [`FrozenStage::to_json`] wrote.
    ///
    /// # Errors
    /// When it is not that. The error repeats no value.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let stage: Self = read(text.as_bytes())?;
        match stage.tasks {
            0 => Err(Unreadable::Contradiction("`tasks` is 0: somebody has to answer".to_owned())),
            _ => Ok(stage),
        }
    }

    /// The document, environment values included; on one line, and the same for the same stage.
    ///
    /// # Errors
    /// When it is above [`MOST_BYTES`].
    pub fn to_json(&self) -> Result<Secret, TooLarge> {
        // As above: there is nothing that JSON could not say.
        let text = serde_json::to_string(&Revealed::from(self)).unwrap_or_default();
        if text.len() <= MOST_BYTES {
            return Ok(Secret::new(text));
        }
        let size = |variables: &BTreeMap<String, Secret>| -> usize {
            variables.iter().map(|(name, value)| name.len() + value.reveal().len()).sum()
        };
        let largest = self.environment.iter().max_by_key(|(_, variables)| size(variables));
        Err(TooLarge {
            bytes: text.len(),
            function: largest.map(|(name, _)| name.clone()),
            environment: largest.map_or(0, |(_, variables)| size(variables)),
        })
    }

    /// What each task lets in of the throttle.
    pub fn share(&self) -> Option<Throttle> {
        let Throttle { rate, burst } = self.throttle?;
        let tasks = self.tasks.max(1);
        Some(Throttle { rate: rate / f64::from(tasks), burst: burst.div_ceil(tasks) })
    }
}

/// The document with its values in clear. [`Secret`] itself serialises as a fingerprint.
#[derive(Serialize)]
struct Revealed<'a> {
    format: u32,
    stage: &'a StageName,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<&'a FunctionName, BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    secrets: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variables: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    keys: &'a BTreeMap<KeyName, FrozenKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<Throttle>,
    tasks: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u32>,
    lame_duck: u16,
}

impl<'a> From<&'a FrozenStage> for Revealed<'a> {
    fn from(stage: &'a FrozenStage) -> Self {
        let reveal = |variables: &'a BTreeMap<String, Secret>| {
            variables.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect()
        };
        Self {
            format: stage.format,
            stage: &stage.stage,
            environment: stage
                .environment
                .iter()
                .map(|(name, variables)| (name, reveal(variables)))
                .collect(),
            secrets: &stage.secrets,
            variables: &stage.variables,
            keys: &stage.keys,
            throttle: stage.throttle,
            tasks: stage.tasks,
            memory: stage.memory,
            lame_duck: stage.lame_duck,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> FrozenStage {
        let greeting = BTreeMap::from([("GREETING".to_owned(), Secret::new("hush-hush"))]);
        let key = FrozenKey { id: "abcdefghij".into(), sha256: Sha256::of(b"a key") };
        FrozenStage {
            environment: BTreeMap::from([("echo".parse().unwrap(), greeting)]),
            secrets: BTreeSet::from(["DB".to_owned()]),
            keys: BTreeMap::from([("default".parse().unwrap(), key)]),
            throttle: Some(Throttle { rate: 10.0, burst: 21 }),
            tasks: 2,
            memory: Some(512),
            lame_duck: 11,
            ..FrozenStage::new("prod".parse().unwrap())
        }
    }

    #[test]
    fn what_is_written_is_read_with_its_values() {
        let written = stage().to_json().unwrap();
        assert_eq!(
            written.reveal(),
            format!(
                r#"{{"format":1,"stage":"prod","environment":{{"echo":{{"GREETING":"hush-hush"}}}},"secrets":["DB"],"keys":{{"default":{{"id":"abcdefghij","sha256":"{}"}}}},"throttle":{{"rate":10.0,"burst":21}},"tasks":2,"memory":512,"lame_duck":11}}"#,
                Sha256::of(b"a key")
            )
        );
        assert_eq!(FrozenStage::read(written.reveal()).unwrap(), stage());
        let least = FrozenStage::new("prod".parse().unwrap());
        assert_eq!(FrozenStage::read(r#"{"format":1,"stage":"prod"}"#).unwrap(), least);
    }

    #[test]
    fn values_are_in_no_message() {
        let written = stage();
        assert!(!format!("{written:?} {:?}", written.to_json()).contains("hush"));
        for (text, why) in [
            (r#"{"format":1,"stage":"prod","hush":"hush-hush"}"#, "unknown key `hush` at line 1, column 33"),
            (
                r#"{"format":1,"stage":"prod","keys":"hush-hush"}"#,
                "a value is of the wrong kind at line 1, column 45",
            ),
            (r#"{"format":1,"stage":"hush hush"}"#, "a value is of the wrong kind at line 1, column 32"),
            (r#"{"format":1}"#, "the key `stage` is missing at line 1, column 12"),
            (r#"{"format":1,hush}"#, "not JSON at line 1, column 13"),
            (r#"{"format":1,"stage":"prod","tasks":0}"#, "`tasks` is 0: somebody has to answer"),
        ] {
            assert_eq!(FrozenStage::read(text).unwrap_err().to_string(), why, "{text}");
        }
    }

    #[test]
    fn tasks_share_the_throttle_and_no_burst_is_lost() {
        assert_eq!(stage().share(), Some(Throttle { rate: 5.0, burst: 11 }));
        assert_eq!(FrozenStage { tasks: 30, ..stage() }.share().unwrap().burst, 1);
        assert_eq!(FrozenStage { throttle: None, ..stage() }.share(), None);
    }

    #[test]
    fn a_stage_that_fits_no_task_definition_is_refused_with_its_largest_part() {
        let mut large = stage();
        let echo = large.environment.values_mut().next().unwrap();
        echo.insert("LONG".to_owned(), Secret::new("x".repeat(70_000)));
        let bytes = stage().to_json().unwrap().reveal().len() + r#","LONG":"""#.len() + 70_000;
        assert_eq!(
            large.to_json().unwrap_err().to_string(),
            format!(
                "MDO_STAGE would be {} bytes, and a task definition holds 65,536: the environment of function echo is the \
                 largest part (70,021 bytes); move values into a file of its package, or into `secrets`",
                thousands(bytes as u64)
            )
        );
    }
}
