//! The media types of bodies that are bytes and not text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A media type or a range of them, as an API lists what is binary: `image/png`, `image/*` or `*/*`. Small letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

/// Why a text is not a [`MediaType`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a media type: write it as `image/png`, `image/*` or `*/*`, without parameters")]
pub struct InvalidMediaType(String);

impl MediaType {
    /// Whether every body is of this range, with or without a type of its own.
    pub fn is_any(&self) -> bool {
        self.0 == "*/*"
    }

    /// Whether it covers the first type that a header names.
    ///
    /// What API Gateway does, as seen on AWS by LocalStack's tests of binary responses: of several types only the first counts,
    /// parameters do not, a range in the header is no wildcard, and a range here is one on its right side alone.
    pub fn covers(&self, header: &str) -> bool {
        let first = header.split([',', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some((kind, _)) = first.split_once('/') else { return false };
        match self.0.strip_suffix("/*") {
            Some(range) => range == kind,
            None => self.0 == first,
        }
    }
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_token = |part: &str| {
            let may_be = |c: char| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c);
            !part.is_empty() && part.chars().all(may_be)
        };
        let valid = match text.split_once('/') {
            Some(("*", subtype)) => subtype == "*",
            Some((kind, subtype)) => is_token(kind) && (subtype == "*" || is_token(subtype)),
            None => false,
        };
        if valid { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidMediaType(text.to_owned())) }
    }
}

impl TryFrom<String> for MediaType {
    type Error = InvalidMediaType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_covers_the_first_type_of_a_header() {
        for (written, header, covers) in [
            ("image/png", "image/png", true),
            ("image/png", "IMAGE/PNG; q=0.5", true),
            ("Image/PNG", "image/png,*/*", true),
            ("image/png", "image/webp,image/png", false),
            ("image/png", "image/*", false),
            ("image/png", "*/*", false),
            ("image/png", "image", false),
            ("image/png", "", false),
            ("image/*", "image/png", true),
            ("image/*", "image/*", true),
            ("image/*", "images/png", false),
            ("multipart/form-data", "multipart/form-data; boundary=x", true),
        ] {
            assert_eq!(written.parse::<MediaType>().unwrap().covers(header), covers, "{written} {header}");
        }
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["", "png", "image/", "/png", "*/png", "image/p*", "image/png;q=1", "a b/c", "a/b/c", "*"]
        {
            assert!(text.parse::<MediaType>().is_err(), "{text}");
        }
    }
}
