//! The names of images: `host/repository@sha256:…`, with Docker's shorthands.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use mdo_model::Sha256;

/// Where names without a host belong, and the host that serves them.
const DOCKER: &str = "docker.io";
const DOCKER_SERVES: &str = "registry-1.docker.io";

/// The names of Docker's registry in its own configuration.
pub(crate) const DOCKER_INDEX: &str = "https://index.docker.io/v1/";

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

/// An image by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Where it is.
    pub repository: Repository,
    /// The tag that was written beside the digest; for people alone.
    pub tag: Option<String>,
    /// The digest of its manifest or of a list of manifests.
    pub digest: Sha256,
}

/// The text names no image, or not by its digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {reason}")]
pub struct InvalidReference {
    /// The text.
    pub text: String,
    /// Why.
    pub reason: &'static str,
    help: String,
}

impl InvalidReference {
    /// What to write instead.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl Repository {
    /// The registry's host, with its port if there is one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository's path in the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host that requests go to.
    pub(crate) fn serving_host(&self) -> &str {
        if self.host == DOCKER { DOCKER_SERVES } else { &self.host }
    }

    /// The scheme and host of the registry's addresses.
    pub(crate) fn origin(&self) -> String {
        let scheme = if is_loopback(self.serving_host()) { "http" } else { "https" };
        format!("{scheme}://{}", self.serving_host())
    }

    /// Whether the host is Docker's own registry.
    pub(crate) fn is_docker(&self) -> bool {
        self.host == DOCKER
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        write!(f, "{}{tag}@sha256:{}", self.repository, self.digest)
    }
}

impl FromStr for Repository {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidReference {
            text: text.to_owned(),
            reason,
            help: "write HOST/NAME, as in registry.example.com/team/shop".to_owned(),
        };
        let is_host = |first: &str| first == "localhost" || first.contains(['.', ':']);
        let (host, path) = match text.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest.to_owned()),
            Some(_) => (DOCKER, text.to_owned()),
            None => (DOCKER, format!("library/{text}")),
        };
        let host = if matches!(host, "index.docker.io" | DOCKER_SERVES) { DOCKER } else { host };
        let path = match path.contains('/') || host != DOCKER {
            true => path,
            false => format!("library/{path}"),
        };
        if !is_valid_host(host) {
            return Err(invalid("has no valid host"));
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid("has capital letters, which the name of a repository must not have"));
        }
        if path.len() > 255 || !path.split('/').all(is_valid_part) {
            return Err(invalid("is not the name of a repository"));
        }
        Ok(Self { host: host.to_owned(), path })
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason, help: String| InvalidReference { text: text.to_owned(), reason, help };
        let (name, digest) = text.split_once('@').ok_or_else(|| {
            let help = format!(
                "write {text}@sha256:…, so that every deploy takes the same image; \
                 `docker buildx imagetools inspect {text}` or `skopeo inspect docker://{text}` shows the digest"
            );
            invalid("names no digest", help)
        })?;
        let digest =
            digest.strip_prefix("sha256:").and_then(|digits| digits.parse().ok()).ok_or_else(|| {
                invalid(
                    "has no SHA-256 digest",
                    "write sha256: and 64 hexadecimal digits after the @".to_owned(),
                )
            })?;
        // A colon before the last slash belongs to the port.
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (name, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_valid_tag(tag)) {
            return Err(invalid("has no valid tag", "leave the tag out: the digest says it all".to_owned()));
        }
        let repository = name.parse().map_err(|error| InvalidReference { text: text.to_owned(), ..error })?;
        Ok(Self { repository, tag, digest })
    }
}

/// Whether a host is this machine, where alone requests go unencrypted.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_valid_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, after)) => (name, after.strip_prefix(':').or(after.is_empty().then_some("1"))),
        None => host.split_once(':').map_or((host, Some("1")), |(name, port)| (name, Some(port))),
    };
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(allowed)
    };
    let is_name =
        if host.starts_with('[') { name.parse::<Ipv6Addr>().is_ok() } else { name.split('.').all(is_label) };
    is_name && port.is_some_and(|port| port.parse::<u16>().is_ok())
}

fn is_valid_part(part: &str) -> bool {
    let ends =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let bytes = part.as_bytes();
    ends(bytes.first()) && ends(bytes.last()) && part.bytes().all(allowed)
}

fn is_valid_tag(tag: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&tag.len()) && !tag.starts_with(['.', '-']) && tag.bytes().all(allowed)
}
