//! Why a server gave no file, in words and as a [`Cause`].

use std::error::Error as StdError;
use std::io;

use aws_smithy_runtime_api::client::result::ConnectorError;
use mdo_engine::{Cause, Error};

const CHECK_NETWORK: &str = "check the network, the proxy (HTTPS_PROXY) and the address";

/// There is no answer at all.
pub(crate) fn no_answer(error: &ConnectorError, host: &str) -> Error {
    let why = reason(error);
    if find(error, &|error| error.is::<rustls::Error>()) {
        return Error::new(Cause::Unreachable, format!("{host} cannot be trusted: {why}")).with_help(
            "check the address; if the server has a certificate of your own authority, name its file in SSL_CERT_FILE, \
             or in AWS_CA_BUNDLE to trust the usual ones too",
        );
    }
    let refused = |error: &(dyn StdError + 'static)| {
        error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    let what = match () {
        () if error.is_timeout() => format!("{host} did not answer in time"),
        () if why.contains("failed to lookup") || why.contains("dns error") => {
            format!("cannot resolve the name {host}")
        }
        () if find(error, &refused) => format!("{host} refuses the connection"),
        () => format!("cannot reach {host}: {why}"),
    };
    Error::new(Cause::Unreachable, what).with_help(CHECK_NETWORK)
}

/// The answer stops in the middle.
pub(crate) fn broken(host: &str, why: &str) -> Error {
    Error::new(Cause::Unreachable, format!("the connection to {host} broke: {why}"))
        .with_help("run the command again; nothing of the file was kept")
}

/// The server answers something else than the file.
pub(crate) fn refused(host: &str, status: u16) -> Error {
    let (cause, what, help) = match status {
        401 | 403 => (
            Cause::Denied,
            "does not hand it out",
            "mdo sends no credentials to an https address: use one that needs none, or put the zip in a bucket \
             (`s3://bucket/key`)",
        ),
        404 | 410 => (Cause::Gone, "does not have it", "check the address"),
        429 => (Cause::Throttled, "refuses so many requests", "run the command again in a minute"),
        500..=599 => (Cause::Other, "failed", "run the command again in a minute"),
        _ => (Cause::Other, "does not answer with a file", "check the address"),
    };
    Error::new(cause, format!("{host} {what} (HTTP {status})")).with_help(help)
}

/// Whether an error or what it comes from is of a kind. An error of input and output hides what it holds.
fn find(error: &(dyn StdError + 'static), is_it: &dyn Fn(&(dyn StdError + 'static)) -> bool) -> bool {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    is_it(error)
        || held.is_some_and(|held| find(held, is_it))
        || error.source().is_some_and(|source| find(source, is_it))
}

/// What the innermost error says.
fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
