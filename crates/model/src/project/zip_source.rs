//! Where a prebuilt zip comes from: a path of the project, an address on the web or an object in a bucket.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The most bytes of an object's key, from S3's documentation.
const LONGEST_KEY: usize = 1024;

/// Where a prebuilt zip comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ZipSource {
    /// A path from the project's folder.
    Path(String),
    /// An address that begins with `https://`.
    Https(HttpsAddress),
    /// An object of S3, written `s3://bucket/key`.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

/// An address that begins with `https://`. Shown without its query, which may be a signature that lets people in.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpsAddress(String);

impl HttpsAddress {
    /// The whole address, for who fetches from there.
    pub fn with_query(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HttpsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('?') {
            Some((address, _)) => write!(f, "{address}?…"),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for HttpsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsAddress({self})")
    }
}

/// Why a text is no source of a zip, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidZipSource {
    message: String,
    help: &'static str,
}

impl InvalidZipSource {
    fn new(message: impl Into<String>, help: &'static str) -> Self {
        Self { message: message.into(), help }
    }

    /// What to write instead.
    pub fn help(&self) -> &'static str {
        self.help
    }
}

impl fmt::Display for InvalidZipSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InvalidZipSource {}

impl ZipSource {
    /// Whether it is elsewhere, so that it has to be fetched and only its digest says what it is.
    pub fn is_elsewhere(&self) -> bool {
        !matches!(self, Self::Path(_))
    }
}

impl FromStr for ZipSource {
    type Err = InvalidZipSource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(InvalidZipSource::new(
                "the path of the zip is empty",
                "write it from the project's folder",
            ));
        }
        match text.split_once("://") {
            None => Ok(Self::Path(text.to_owned())),
            Some(("https", rest)) => https(text, rest),
            Some(("s3", rest)) => s3(text, rest),
            Some(("http", _)) => Err(InvalidZipSource::new(
                format!("`{}` is not encrypted: who is on the way can change the zip", without_query(text)),
                "write `https://…`",
            )),
            Some((scheme, _)) => Err(InvalidZipSource::new(
                format!("mdo fetches no zip from `{scheme}://`"),
                "write `s3://bucket/key`, `https://…` or a path from the project's folder",
            )),
        }
    }
}

fn https(text: &str, rest: &str) -> Result<ZipSource, InvalidZipSource> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (shown, example) = (without_query(text), "as in `https://example.com/sklearn.zip`");
    // Without what stands before the host: it may be a password.
    if authority.contains('@') {
        return Err(InvalidZipSource::new(
            "the address of the zip holds a user or a password, and project.toml is for everybody to read",
            "take it out, and let the server hand the zip out without one, or put it in a bucket: `s3://bucket/key`",
        ));
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err(InvalidZipSource::new(format!("`{shown}` names no host"), example));
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}#".contains(*c)) {
        let message = format!("`{shown}` is not an address: it holds {c:?}");
        return Err(InvalidZipSource::new(message, "write such a character as `%` and its code"));
    }
    Ok(ZipSource::Https(HttpsAddress(text.to_owned())))
}

fn s3(text: &str, rest: &str) -> Result<ZipSource, InvalidZipSource> {
    let example = "as in `s3://bucket/folder/sklearn.zip`";
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let is_of_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_of_bucket) {
        return Err(InvalidZipSource::new(format!("`{bucket}` is not the name of a bucket"), example));
    }
    if key.is_empty() || key.ends_with('/') || key.len() > LONGEST_KEY {
        return Err(InvalidZipSource::new(format!("`{text}` names no object in the bucket"), example));
    }
    Ok(ZipSource::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
}

fn without_query(text: &str) -> Cow<'_, str> {
    text.split_once('?').map_or(text.into(), |(address, _)| format!("{address}?…").into())
}

impl fmt::Display for ZipSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Https(address) => address.fmt(f),
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

impl TryFrom<String> for ZipSource {
    type Error = InvalidZipSource;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ZipSource> for String {
    fn from(source: ZipSource) -> Self {
        match source {
            ZipSource::Https(address) => address.0,
            other => other.to_string(),
        }
    }
}

impl JsonSchema for ZipSource {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ZipSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "zip-source", "examples": ["s3://bucket/sklearn.zip"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_path_an_address_or_an_object() {
        let of = |text: &str| text.parse::<ZipSource>().unwrap();
        assert_eq!(of("zips/a.zip"), ZipSource::Path("zips/a.zip".to_owned()));
        let object = ZipSource::S3 { bucket: "mdo-artifacts".to_owned(), key: "lambda/a.zip".to_owned() };
        assert_eq!(of("s3://mdo-artifacts/lambda/a.zip"), object);
        assert!(matches!(of("https://example.com:8443/a.zip"), ZipSource::Https(_)));
        for text in ["a.zip", "s3://mdo-artifacts/lambda/a.zip", "https://example.com/a.zip?x=1"] {
            assert_eq!(String::from(of(text)), text);
        }
    }

    #[test]
    fn a_signature_in_a_query_is_not_shown() {
        let source: ZipSource = "https://example.com/a.zip?X-Amz-Signature=secret".parse().unwrap();
        assert_eq!(source.to_string(), "https://example.com/a.zip?…");
        assert!(!format!("{source:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_source_is_refused_without_its_secrets() {
        for (text, wanted) in [
            (
                "http://example.com/a.zip?key=s",
                "`http://example.com/a.zip?…` is not encrypted: who is on the way can change the zip",
            ),
            ("ftp://example.com/a.zip", "mdo fetches no zip from `ftp://`"),
            ("https:///a.zip", "`https:///a.zip` names no host"),
            ("https://example.com/a b.zip", "`https://example.com/a b.zip` is not an address: it holds ' '"),
            ("s3://Bucket/a.zip", "`Bucket` is not the name of a bucket"),
            ("s3://bucket", "`s3://bucket` names no object in the bucket"),
            ("s3://bucket/folder/", "`s3://bucket/folder/` names no object in the bucket"),
        ] {
            assert_eq!(text.parse::<ZipSource>().unwrap_err().to_string(), wanted);
        }
        let error = "https://me:word@example.com/a.zip".parse::<ZipSource>().unwrap_err();
        assert!(!format!("{error:?}").contains("word@"), "{error}");
    }
}
