//! The state of one local stack under `.mdo/stages/<stage>/`: read, and changed under a lock, so that two processes at once lose
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mdo_engine::{Cause, Error, Ping};
use mdo_model::Sha256;
use mdo_model::project::{FunctionName, KeyName, Names, StageName};
use mdo_package::OwnFolder;
use mdo_server::gateway::Usage;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{self, Stamp};
use super::former;
use super::logs::Ring;
use super::state::{FORMAT, StoredStack, now};

/// How many pings of each function are kept.
const PINGS: usize = 50;

/// Where the state of each stage is, below the project's own folder.
const STAGES: &str = "stages";

/// The file that keeps a stack, in the folder of its stage.
const STATE: &str = "state.json";

/// The file that keeps the token of the console, in the folder of its stage.
const CONSOLE: &str = "console.json";

/// The store of one stage.
#[derive(Clone, Debug)]
pub(super) struct Store {
    own: OwnFolder,
    stage: StageName,
    folder: PathBuf,
}

/// A ping as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredPing {
    at: String,
    outcome: String,
}

#[derive(Serialize, Deserialize)]
struct ConsoleToken {
    token: String,
}

#[derive(Serialize, Deserialize)]
struct Listening {
    port: u16,
}

/// Whether a local stack of the project may run with what was built of these inputs: any file that keeps one names it, or cannot be
/// read.
pub fn is_build_named(root: &Path, inputs: Sha256) -> bool {
    let inputs = inputs.to_string();
    let stages = fs::read_dir(OwnFolder::of(root).path().join(STAGES));
    stages.into_iter().flatten().flatten().any(|stage| match fs::read_to_string(stage.path().join(STATE)) {
        Ok(text) => text.contains(&inputs),
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    })
}

impl Store {
    /// The store of a stage; nothing is written before it is needed.
    pub(super) fn new(root: &Path, names: &Names) -> Self {
        let own = OwnFolder::of(root);
        let folder = own.path().join(STAGES).join(names.stage.as_str());
        Self { own, stage: names.stage.clone(), folder }
    }

    /// The folder that all local stacks of the project share.
    pub(super) fn own(&self) -> &OwnFolder {
        &self.own
    }

    /// The ring of what a function logs, or of what is no function's.
    pub(super) fn ring(&self, function: Option<&FunctionName>) -> Ring {
        Ring::new(self.own.clone(), self.folder.join("logs"), function)
    }

    fn state_file(&self) -> PathBuf {
        self.folder.join(STATE)
    }

    /// What tells the present state from any other.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        Stamp::of(&self.state_file())
    }

    /// Reads the state; of a stack that was never applied it is empty.
    pub(super) fn load(&self) -> Result<StoredStack, Error> {
        load(&self.own, &self.state_file())
    }

    /// Changes the state, alone among all processes. Nothing is written when `change` fails.
    pub(super) fn update<T>(
        &self,
        change: impl FnOnce(&mut StoredStack) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _lock = self.lock()?;
        let mut state = self.load()?;
        let answer = change(&mut state)?;
        if state.is_empty() {
            for file in [STATE, "pings.json", "usage.json"] {
                files::remove(&self.own, &self.folder.join(file))?;
            }
            self.ring(None).remove()?;
        } else {
            write(&self.own, &self.state_file(), &state)?;
        }
        Ok(answer)
    }

    /// Adds a firing of a function's warm rule.
    pub(super) fn record_ping(&self, function: &FunctionName, outcome: String) -> Result<(), Error> {
        let _lock = self.lock()?;
        let file = self.folder.join("pings.json");
        let mut all: BTreeMap<FunctionName, Vec<StoredPing>> = forgiving(&self.own, &file)?;
        let pings = all.entry(function.clone()).or_default();
        pings.push(StoredPing { at: now(), outcome });
        pings.drain(..pings.len().saturating_sub(PINGS));
        write(&self.own, &file, &all)
    }

    /// The last firings of a function's warm rule, newest first.
    pub(super) fn pings(&self, function: &FunctionName) -> Result<Vec<Ping>, Error> {
        let mut all: BTreeMap<FunctionName, Vec<StoredPing>> =
            forgiving(&self.own, &self.folder.join("pings.json"))?;
        let pings = all.remove(function).unwrap_or_default();
        Ok(pings.into_iter().rev().map(|ping| Ping { at: ping.at, outcome: ping.outcome }).collect())
    }

    /// How much of the quota each key has used.
    pub(super) fn usage(&self) -> Result<BTreeMap<KeyName, Usage>, Error> {
        forgiving(&self.own, &self.folder.join("usage.json"))
    }

    /// Writes down how much of the quota each key has used.
    pub(super) fn save_usage(&self, usage: &BTreeMap<KeyName, Usage>) -> Result<(), Error> {
        let _lock = self.lock()?;
        write(&self.own, &self.folder.join("usage.json"), usage)
    }

    /// The port of the server that serves, or last served, the stage.
    pub(super) fn port(&self) -> Option<u16> {
        let content = files::read(&self.own, &self.folder.join("server.json")).ok()??;
        Some(serde_json::from_slice::<Listening>(&content).ok()?.port)
    }

    /// Writes down the port that the stage is served at.
    pub(super) fn save_port(&self, port: u16) -> Result<(), Error> {
        let _lock = self.lock()?;
        write(&self.own, &self.folder.join("server.json"), &Listening { port })
    }

    /// Forgets the port that the stage was served at, unless another server has written its own since.
    pub(super) fn forget_port(&self, port: u16) -> Result<(), Error> {
        let _lock = self.lock()?;
        if self.port() == Some(port) {
            files::remove(&self.own, &self.folder.join("server.json"))
        } else {
            Ok(())
        }
    }

    /// The token of the console that serves, or last served, the stage.
    pub(super) fn console_token(&self) -> Option<String> {
        let content = files::read(&self.own, &self.folder.join(CONSOLE)).ok()??;
        Some(serde_json::from_slice::<ConsoleToken>(&content).ok()?.token)
    }

    /// Writes down the token of the console.
    pub(super) fn save_console_token(&self, token: &str) -> Result<(), Error> {
        let _lock = self.lock()?;
        write(&self.own, &self.folder.join(CONSOLE), &ConsoleToken { token: token.to_owned() })
    }

    /// Takes the clock of the stage's warm rules; `None` while another process has it.
    pub(super) fn take_clock(&self) -> Result<Option<fs::File>, Error> {
        self.prepare()?;
        files::try_lock(&self.own, &self.folder.join("clock"))
    }

    /// The stages at which the project has anything on this machine, with their state.
    pub(super) fn stages(&self) -> Result<Vec<(StageName, StoredStack)>, Error> {
        let folder = self.own.path().join(STAGES);
        self.own.check(&folder).map_err(files::refused)?;
        let Ok(entries) = fs::read_dir(folder) else {
            return Ok(Vec::new());
        };
        let mut stages = Vec::new();
        for entry in entries.flatten() {
            let file = entry.path().join("state.json");
            let stage = entry.file_name().to_str().and_then(|name| name.parse::<StageName>().ok());
            let Some(stage) = stage else { continue };
            self.own.check(&file).map_err(files::refused)?;
            if file.is_file() {
                stages.push((stage, load(&self.own, &file)?));
            }
        }
        stages.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(stages)
    }

    fn lock(&self) -> Result<fs::File, Error> {
        self.prepare()?;
        files::lock(&self.own, &self.folder.join("lock"))
    }

    fn prepare(&self) -> Result<(), Error> {
        self.own.folder(&format!("{STAGES}/{}", self.stage)).map_err(files::refused)?;
        Ok(())
    }
}

fn load(own: &OwnFolder, file: &Path) -> Result<StoredStack, Error> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }

    let Some(content) = files::read(own, file)? else {
        return Ok(StoredStack::default());
    };
    let folder = file.parent().unwrap_or(file).display();
    let corrupt = |error: serde_json::Error| {
        // serde's own words may repeat a value, and here values are secrets.
        let place = match error.line() {
            0 => String::new(),
            line => format!(" at line {line}, column {}", error.column()),
        };
        Error::new(Cause::Other, format!("{} is damaged{place}", file.display())).with_help(format!(
            "remove the folder {folder} and deploy again with --local; its keys get new values"
        ))
    };
    let Format { format } = serde_json::from_slice(&content).map_err(corrupt)?;
    if format > FORMAT {
        let message = format!(
            "{} was written by a newer mdo (format {format}; this mdo knows up to {FORMAT})",
            file.display()
        );
        let help = format!("use that mdo, or remove the folder {folder} and deploy again with --local");
        return Err(Error::new(Cause::Invalid, message).with_help(help));
    }
    if format < FORMAT {
        let former = serde_json::from_slice(&content).map_err(corrupt)?;
        return serde_json::from_value(former::upgrade(former)).map_err(corrupt);
    }
    serde_json::from_slice(&content).map_err(corrupt)
}

/// Reads a file that may be lost without harm.
fn forgiving<T: DeserializeOwned + Default>(own: &OwnFolder, file: &Path) -> Result<T, Error> {
    let content = files::read(own, file)?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default())
}

fn write<T: Serialize>(own: &OwnFolder, file: &Path, value: &T) -> Result<(), Error> {
    let content = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(Cause::Other, format!("cannot write {}: {error}", file.display())))?;
    files::replace(own, file, &content)
}
