//! The logins that `docker login` has left: `config.json` in `~/.docker` or `DOCKER_CONFIG`, and the helpers that it names.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::reference::DOCKER_INDEX;
use crate::{Credentials, Error, Repository};

/// The user that helpers name when they have no password but a token to be exchanged.
const TOKEN_USER: &str = "<token>";

/// What helpers print when they know no login; a part of their protocol.
const NOT_FOUND: &str = "credentials not found";

/// Docker's configuration, as far as it is about logins.
#[derive(Clone, Debug, Default)]
pub struct DockerConfig {
    path: PathBuf,
    text: Text,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Text {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.auths.keys()).entries(self.cred_helpers.keys()).finish()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl DockerConfig {
    /// Where Docker looks: in the folder that `DOCKER_CONFIG` names, else in `~/.docker`.
    pub fn place() -> Option<PathBuf> {
        let own = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        own.or_else(|| std::env::home_dir().map(|home| home.join(".docker")))
            .map(|folder| folder.join("config.json"))
    }

    /// Reads the file. One that is not there holds no logins.
    ///
    /// # Errors
    /// When it cannot be read or is not JSON.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|source| Error::Disk { path: path.to_owned(), source })?,
        };
        // serde's words could repeat a value: only the place is told.
        let text = serde_json::from_slice(&text).map_err(|error| Error::DockerConfig {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
        })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// The login for a repository's host; nobody if there is none. A helper is waited for.
    ///
    /// # Errors
    /// When a helper that is named cannot be started or fails.
    pub fn credentials(&self, repository: &Repository) -> Result<Credentials, Error> {
        let hosts = names_of(repository);
        let helper = hosts.iter().find_map(|host| self.text.cred_helpers.get(host));
        let store = Some(&self.text.creds_store).filter(|store| !store.is_empty());
        if let Some(helper) = helper.or(store) {
            for host in &hosts {
                let found = ask(helper, host)?;
                if !found.is_anonymous() {
                    return Ok(found);
                }
            }
        }
        let entries = hosts.iter().filter_map(|host| self.text.auths.get(host));
        let Some(auth) = entries.map(|entry| &entry.auth).find(|auth| !auth.is_empty()) else {
            return Ok(Credentials::anonymous());
        };
        Credentials::from_base64(auth)
            .ok_or_else(|| Error::DockerLogin { path: self.path.clone(), host: repository.host().to_owned() })
    }
}

/// How the configuration may name a registry.
fn names_of(repository: &Repository) -> Vec<String> {
    let host = repository.host();
    let mut names = Vec::new();
    if repository.is_docker() {
        names.push(DOCKER_INDEX.to_owned());
    }
    names.extend([host.to_owned(), format!("https://{host}"), format!("https://{host}/v1/")]);
    names.push(format!("https://{host}/v2/"));
    names
}

/// Asks a helper: `docker-credential-NAME get`, the registry on its standard input.
fn ask(name: &str, host: &str) -> Result<Credentials, Error> {
    let program = format!("docker-credential-{name}");
    let fault = |why: String| Error::Helper { program: program.clone(), host: host.to_owned(), why };
    // The name comes from a file, and names a program on PATH, not a path.
    if name.contains(['/', '\\']) {
        return Err(fault("its name is not that of a program".to_owned()));
    }
    let started = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| fault(format!("it cannot be started: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that reads nothing is judged by what it answers.
        let _ = input.write_all(host.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| fault(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        if said.contains(NOT_FOUND) || stderr.contains(NOT_FOUND) {
            return Ok(Credentials::anonymous());
        }
        let words = [stderr.trim(), said.trim()].into_iter().find(|words| !words.is_empty());
        let words = words.and_then(|words| words.lines().last()).unwrap_or("it said nothing");
        return Err(fault(crate::error::shown(words)));
    }
    let answer: Answer =
        serde_json::from_str(&said).map_err(|_| fault("its answer is not that of a helper".to_owned()))?;
    if answer.username == TOKEN_USER {
        let why = "it has an identity token only, which mdo does not exchange; log in with a password or an access token";
        return Err(fault(why.to_owned()));
    }
    Ok(Credentials::basic(answer.username, answer.secret))
}
