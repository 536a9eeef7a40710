//! The texts of `[server]` that have a form of their own: images, domains, paths of URLs.

use super::super::problem::Problem;

/// How an image is named.
const EXAMPLE: &str = "ghcr.io/owner/name@sha256:… with the 64 digits of the image's digest";

/// What is wrong with the reference of an image that has to stay the same: it names a digest.
pub(in crate::project) fn image_reference(text: &str) -> Option<Problem> {
    let wrong = |message: String| Some(Problem::new(message).help(format!("as in {EXAMPLE}")));
    let Some((name, digest)) = text.split_once('@') else {
        return wrong(format!("`{text}` names no digest, so that it may be another image tomorrow"));
    };
    let is_digest = digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    });
    if !is_digest {
        return wrong(format!("`{digest}` is not a digest: it is `sha256:` and 64 hexadecimal digits"));
    }
    let is_name = !name.is_empty()
        && name.split('/').all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c))
        });
    if is_name { None } else { wrong(format!("`{name}` is not the name of an image")) }
}

/// What is wrong with what an image is made from: a reference with a digest, or the path of an archive.
pub(in crate::project) fn image_source(text: &str) -> Option<Problem> {
    if is_archive(text) {
        return None;
    }
    image_reference(text)
}

/// Whether an image is a file rather than one in a registry.
pub(super) fn is_archive(text: &str) -> bool {
    text.ends_with(".tar") || text.starts_with("./") || text.starts_with('/')
}

/// What is wrong with a host name.
pub(in crate::project) fn domain(text: &str) -> Option<Problem> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let valid = text.len() <= 253 && text.contains('.') && text.split('.').all(is_label);
    (!valid).then(|| {
        Problem::new(format!("`{text}` is not a domain"))
            .help("write the name alone, as in `api.example.com`")
    })
}

/// What is wrong with the path of a URL.
pub(in crate::project) fn url_path(text: &str) -> Option<Problem> {
    let valid = text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic() && c != '?' && c != '#');
    (!valid).then(|| Problem::new(format!("`{text}` is not the path of a URL")).help("as in `/healthz`"))
}
