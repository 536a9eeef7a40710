//! Why an image could not travel, and what to do about it.

use std::io;
use std::path::PathBuf;

use mdo_model::Sha256;

/// How much of a registry's words is shown, in characters.
const MOST_SHOWN: usize = 300;

/// Why an image could not be fetched or pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry does not let us.
    #[error("{host} does not let us {doing} {repository}: {said}")]
    Denied {
        /// The registry.
        host: String,
        /// The repository's path.
        repository: String,
        /// `read` or `write`.
        doing: &'static str,
        /// Its own words, with the status.
        said: String,
    },
    /// It is not there.
    #[error("{host} has no {what}: {said}")]
    NotFound {
        /// The registry.
        host: String,
        /// What is not there: `image library/python@sha256:…`.
        what: String,
        /// Its own words, with the status.
        said: String,
    },
    /// The tag is taken by another image, and tags of this repository do not move.
    #[error("{host} keeps another image as {repository}:{tag}, and its tags are immutable")]
    TagTaken {
        /// The registry.
        host: String,
        /// The repository's path.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// What came or went has another digest.
    #[error("{host}: {what} has the digest {found}, not sha256:{expected}")]
    WrongDigest {
        /// The registry.
        host: String,
        /// What it is: `the layer`.
        what: String,
        /// The digest that it should have.
        expected: Sha256,
        /// The digest that it has, in the registry's spelling.
        found: String,
    },
    /// The registry refuses a request for another reason.
    #[error("{host} refuses to {doing} {repository}: {said}")]
    Refused {
        /// The registry.
        host: String,
        /// The repository's path.
        repository: String,
        /// `read` or `write`.
        doing: &'static str,
        /// Its own words, with the status.
        said: String,
    },
    /// The registry has no time for us, however often it was asked.
    #[error("{host} is busy or broken: {said}")]
    Busy {
        /// The registry.
        host: String,
        /// Its own words, with the status.
        said: String,
    },
    /// There is no way to the registry, or it was lost.
    #[error("cannot reach {host}: {why}")]
    Unreachable {
        /// The registry.
        host: String,
        /// Why.
        why: String,
        /// Whether it is because of its certificate.
        certificate: bool,
    },
    /// The registry answers what the protocol does not have.
    #[error("{host} does not answer as a registry: {why}")]
    Malformed {
        /// The registry.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// The image is not made for the platform that is wanted.
    #[error("{image} is not there for {wanted}, only for {}", .has.join(", "))]
    NoPlatform {
        /// The image.
        image: String,
        /// The platform: `linux/amd64`.
        wanted: String,
        /// Those that there are.
        has: Vec<String>,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Docker's configuration is not JSON.
    #[error("{} is not Docker's configuration: line {line}, column {column}", .path.display())]
    DockerConfig {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A login in Docker's configuration cannot be read.
    #[error("{}: the login for {host} is not base64 of USER:PASSWORD", .path.display())]
    DockerLogin {
        /// The file.
        path: PathBuf,
        /// The registry.
        host: String,
    },
    /// A credential helper failed.
    #[error("{program} does not tell the login for {host}: {why}")]
    Helper {
        /// The program.
        program: String,
        /// The registry.
        host: String,
        /// Why.
        why: String,
    },
    /// TLS cannot be prepared.
    #[error("cannot prepare TLS: {0}")]
    Tls(String),
    /// Nobody waits any more.
    #[error("interrupted")]
    Cancelled,
}

impl Error {
    /// Whether the same request may well succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { certificate: false, .. })
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Denied { host, .. } => {
                format!("log in with `docker login {host}`, and check that the login may use the repository")
            }
            Self::NotFound { .. } => "check the name and the digest".into(),
            Self::TagTaken { tag, .. } => {
                format!("remove the tag {tag} from the repository, or push under another one")
            }
            Self::Busy { .. } => "run it again in a while: what has arrived is not sent again".into(),
            Self::Unreachable { certificate: true, .. } => {
                "if a proxy of your own signs connections, let AWS_CA_BUNDLE or SSL_CERT_FILE name its certificates".into()
            }
            Self::Unreachable { .. } => "check the name, the network and HTTPS_PROXY, and run it again".into(),
            Self::NoPlatform { wanted, .. } => format!("take an image for {wanted}"),
            Self::WrongDigest { .. } => "run it again; if it stays, something on the way changes what is sent".into(),
            Self::Disk { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space on that disk".into(),
                io::ErrorKind::PermissionDenied => "give yourself access to it".into(),
                _ => return None,
            },
            Self::DockerConfig { .. } | Self::DockerLogin { .. } => "mend it, or log in again with docker".into(),
            Self::Helper { program, .. } => {
                format!("install {program}, or take it out of Docker's config.json and log in again")
            }
            Self::Refused { .. } | Self::Malformed { .. } | Self::Tls(_) | Self::Cancelled => return None,
        })
    }
}

/// A stranger's words in one line, without what would change a terminal.
pub(crate) fn shown(words: &str) -> String {
    let line: String = words
        .chars()
        .map(|letter| if letter.is_control() || letter.is_whitespace() { ' ' } else { letter })
        .take(MOST_SHOWN)
        .collect();
    line.trim().to_owned()
}
