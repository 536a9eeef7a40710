//! What only a live system can answer, each its own small trait beside the provider's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use async_trait::async_trait;
use mdo_model::project::{FunctionName, KeyName, Reference, Secret, Settings};
use mdo_model::stack::{Kind, LiveVersions, Server};
use serde::Serialize;

use crate::{Error, Invocation, Recent};

/// What runs events through the stage's functions.
#[async_trait]
pub trait Invoke: Send + Sync {
    /// Runs one event through the stage's function and waits for the answer.
    ///
    /// # Errors
    /// When the function could not be run; an answer that is an error of the function is an [`Invocation`].
    async fn invoke(&self, function: &FunctionName, payload: &[u8]) -> Result<Invocation, Error>;
}

/// What knows of the stage's keys what is not compared.
#[async_trait]
pub trait Keys: Send + Sync {
    /// The value of a key of the stage.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be read.
    async fn key_value(&self, key: &KeyName) -> Result<Secret, Error>;

    /// Gives a key another name, under which it opens until its end, as RFC 3339 in UTC. The stack has been observed before.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be changed.
    async fn retire_key(&self, key: &KeyName, becomes: &KeyName, ends: &str) -> Result<(), Error>;

    /// How many requests a key has made, day by day, between two days, both in it. The stack has been observed before.
    ///
    /// # Errors
    /// When that cannot be read, or is not counted.
    async fn key_usage(&self, key: &KeyName, days: (Day, Day)) -> Result<Vec<DayUsage>, Error>;
}

/// A day in UTC, as `2026-11-27`.
pub type Day = String;

/// How many requests a key has made in a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayUsage {
    /// The day; of this machine the first of the quota's period.
    pub day: Day,
    /// Requests that were let in.
    pub used: u64,
    /// How many the quota has left; `None` without one.
    pub left: Option<u64>,
}

/// What takes files for others to fetch.
#[async_trait]
pub trait Share: Send + Sync {
    /// Puts a file under a key of the project's bucket, in place of what is there, and answers its address. `progress` is told
    /// how many bytes of how many have left.
    ///
    /// # Errors
    /// When the project has no bucket, or it does not take the file.
    async fn share(
        &self,
        file: &Path,
        key: &str,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<String, Error>;
}

/// Takes a piece of a file and the size of the whole, where that is known, and says whether it wants more.
pub type Take<'a> = dyn FnMut(&[u8], Option<u64>) -> ControlFlow<()> + Send + 'a;

/// What fetches a file from where somebody else has put it.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// Hands the file over piece by piece. That `take` wants no more is no error.
    ///
    /// # Errors
    /// When it is not there, may not be read, or stops in the middle.
    async fn fetch(&self, take: &mut Take<'_>) -> Result<(), Error>;
}

/// What knows the versions that deploys have left, over all stages of the project.
#[async_trait]
pub trait Versions: Send + Sync {
    /// Every version of the project's own that there is, with which of them are in use. Never writes.
    ///
    /// # Errors
    /// When any of it cannot be read: what is not known to be unused is in use.
    async fn live_versions(&self) -> Result<LiveVersions, Error>;
}

/// What knows the revisions that a hosted stage has run.
#[async_trait]
pub trait Revisions: Send + Sync {
    /// The numbers of the stage's revisions, and which of them is live. The stack has been observed before.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn revisions(&self) -> Result<LiveRevisions, Error>;

    /// What a revision froze. What it did not, and what of its keys has another value by now, is not told. A run goes back to the
    /// last one that was asked for without making it anew, where it is exactly what is wanted.
    ///
    /// # Errors
    /// When there is no such revision, when mdo has not made it, or when it cannot be read.
    async fn revision(&self, number: u32) -> Result<Server, Error>;
}

/// The revisions that there are of a hosted stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveRevisions {
    /// Newest first.
    pub numbers: Vec<u32>,
    /// The one that runs.
    pub live: Option<u32>,
    /// The one that a rollback has gone back to where it had to register that anew; else the one that runs.
    pub stands_for: Option<u32>,
}

/// What looks up values that are kept elsewhere.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The value of each reference, or why it cannot be had.
    async fn secrets(&self, references: &BTreeSet<Reference>) -> BTreeMap<Reference, Result<Secret, Error>>;
}

/// What knows how much of its quotas is used up.
#[async_trait]
pub trait Quotas: Send + Sync {
    /// The quotas that stop a deploy when they are used up.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn quotas(&self) -> Result<Vec<QuotaUse>, Error>;
}

/// How much of a quota is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaUse {
    /// What is counted, in the plural.
    pub name: String,
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub limit: u64,
    /// Whether bytes are counted.
    pub is_bytes: bool,
}

/// What knows whether a deploy would be let write.
#[async_trait]
pub trait Permissions: Send + Sync {
    /// What the identity lacks of what a deploy of these settings needs, in the provider's words.
    ///
    /// # Errors
    /// When it cannot be known: with [`Cause::Denied`](crate::Cause) where the identity may not ask.
    async fn lacking(&self, settings: &Settings) -> Result<BTreeSet<String>, Error>;
}

/// What knows the policies that somebody has given the project's roles by hand.
#[async_trait]
pub trait ForeignPolicies: Send + Sync {
    /// The policies of a role that mdo has not written, and for which the role could not be deleted. None where the role would
    /// be kept anyway. The stack has been observed before.
    ///
    /// # Errors
    /// When they cannot be listed.
    async fn foreign_policies(&self, role: Kind) -> Result<Vec<ForeignPolicy>, Error>;

    /// The policies of a role that mdo has not written, whether or not the role is to go. The role is there.
    ///
    /// # Errors
    /// When they cannot be listed.
    async fn given_by_hand(&self, role: Kind) -> Result<Vec<ForeignPolicy>, Error>;
}

/// A policy that somebody has given a role by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignPolicy {
    /// Its name.
    pub name: String,
    /// The ARN of a managed policy, which goes on existing when it is detached; `None` for an inline one, which is a part of
    /// the role.
    pub arn: Option<String>,
}

/// What knows the alarms that somebody has set.
#[async_trait]
pub trait Alarms: Send + Sync {
    /// How the alarms of these names are. One that does not exist is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Error>;

    /// The names of all alarms.
    ///
    /// # Errors
    /// When they cannot be listed.
    async fn alarm_names(&self) -> Result<Vec<String>, Error>;
}

/// An alarm, as it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// Since when it is in that state, as RFC 3339 in UTC; empty where the provider does not say.
    pub since: String,
    /// Why it is in that state, in the provider's words.
    pub reason: String,
}

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// What it watches is as it should be.
    Calm,
    /// It is in alarm.
    Firing,
    /// There is not enough data to say.
    Unknown,
}

/// What knows the time where a provider is.
pub trait Clock: Send + Sync {
    /// By how many seconds this machine's clock is ahead of the provider's; `None` before it has answered.
    fn ahead(&self) -> Option<i64>;
}

/// What knows how warm rules fired.
#[async_trait]
pub trait Pings: Send + Sync {
    /// The last firings of a function's warm rule, or its last runs.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn pings(&self, function: &FunctionName) -> Result<Recent, Error>;
}
