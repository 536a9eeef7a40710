//! What AWS's errors mean to a user: what failed, on what, why, and the way out. Each gets its [`Cause`] here, once.

mod cause;
mod credentials;
mod retry;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use mdo_engine::{Answer, Cause, Error, Redactor};

use crate::policy;

pub(crate) use credentials::{check_configuration, no_region, wrong_account};
pub(crate) use retry::{is_throttle, is_transient, retry_after};

/// What the words of an error depend on beside the answer.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// The profile of the credentials, where one is known.
    pub profile: Option<&'a str>,
    pub partition: &'a str,
    pub region: &'a str,
    /// What AWS's own words pass through.
    pub redactor: &'a Redactor,
}

/// What an error of AWS means to a user.
pub(crate) fn explain<E>(
    operation: &'static str,
    on: &str,
    error: &SdkError<E, HttpResponse>,
    caller: &Caller<'_>,
) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let code = error.code().map_or_else(|| status_code(service.raw()), str::to_owned);
            let code = caller.redactor.clean(&code);
            let message = error.message().unwrap_or_default();
            let cause = cause::of(operation, &code, message, retry::reason(error).as_deref());
            let message = caller.redactor.clean(message);
            let answer = Answer {
                operation: operation.to_owned(),
                resource: Some(on.to_owned()).filter(|on| !on.is_empty()),
                code: code.clone(),
                request_id: request_id(service.raw()).map(str::to_owned),
            };
            refused(operation, on, cause, &code, &message, caller).with_answer(answer)
        }
        _ => match credentials::unsigned(error, caller.profile) {
            Some(error) => error,
            None => no_answer(&doing(operation, on), error, caller.redactor),
        },
    }
}

/// There was no answer in time.
pub(crate) fn silent(operation: &str, on: &str, patience: Duration, once: bool) -> Error {
    let doing = doing(operation, on);
    let error = unreachable(&doing, &format!("AWS did not answer within {} s", patience.as_secs()));
    match once {
        true => error.with_help(format!(
            "the call may have arrived, so mdo did not send it again; {CHECK_NETWORK}, then run the command again"
        )),
        false => error,
    }
}

/// The bare name of an operation, `CreateFunction`.
pub(crate) fn name_of(operation: &str) -> &str {
    operation.split_once(':').map_or(operation, |(_, name)| name)
}

/// `create function ml_api_x`.
pub(crate) fn doing(operation: &str, on: &str) -> String {
    let name = name_of(operation);
    let mut words = String::new();
    for (index, c) in name.char_indices() {
        if c.is_ascii_uppercase() && index > 0 {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    if on.is_empty() { words } else { format!("{words} {on}") }
}

fn status_code(response: &HttpResponse) -> String {
    match response.status().as_u16() {
        403 => "Forbidden".to_owned(),
        404 => "NotFound".to_owned(),
        409 => "ConflictException".to_owned(),
        status => format!("HTTP {status}"),
    }
}

fn request_id(response: &HttpResponse) -> Option<&str> {
    ["x-amzn-requestid", "x-amz-request-id"].into_iter().find_map(|name| response.headers().get(name))
}

fn refused(operation: &str, on: &str, cause: Cause, code: &str, message: &str, caller: &Caller<'_>) -> Error {
    let doing = doing(operation, on);
    let why = if message.is_empty() { code } else { message };
    match cause {
        Cause::Denied => return denied(operation, on, message, caller),
        Cause::Expired => return credentials::expired(caller.profile),
        Cause::Credentials => {
            return Error::new(cause, format!("AWS does not accept the credentials: {why}"))
                .with_help(credentials::log_in(caller.profile));
        }
        _ => {}
    }
    let error = Error::new(cause, format!("{doing}: {why}"));
    match (&error.cause, code) {
        (Cause::Stale, _) => {
            error.with_help("somebody else changed it at the same time; run the command again")
        }
        (Cause::Throttled, _) => {
            error.with_help("AWS kept throttling this account; run the command again in a minute")
        }
        (_, "NoSuchBucket" | "NoSuchKey") if operation == "s3:GetObject" => {
            error.with_help("check the address: the names of the bucket and of the object in it")
        }
        (_, "NoSuchBucket") => {
            error.with_help("create the bucket, or name another one in `[artifacts]` of project.toml")
        }
        (_, "PermanentRedirect" | "HTTP 301") => error.with_help(
            "the bucket of `[artifacts]` is in another region; Lambda needs it in the function's own",
        ),
        (_, "CodeStorageExceededException") => {
            error.with_help("delete old versions of functions that no stage points at, then deploy again")
        }
        _ => error,
    }
}

fn denied(operation: &str, on: &str, message: &str, caller: &Caller<'_>) -> Error {
    // Systems Manager speaks of the ciphertext, Secrets Manager of KMS.
    let reads = ["ssm:GetParameters", "secretsmanager:GetSecretValue"].contains(&operation);
    if reads && ["KMS", "ciphertext", "kms:"].iter().any(|word| message.contains(word)) {
        return Error::new(Cause::Denied, format!("{}: the key that encrypts it may not be used", doing(operation, on)))
            .with_help("allow `kms:Decrypt` on that key for the identity that you deploy with, in the key's own policy too");
    }
    let action = between(message, "not authorized to perform: ", " ");
    let action = action.map_or_else(|| policy::action(operation), str::to_owned);
    let resource = between(message, "on resource: ", " ").map(str::to_owned);
    let resource = resource.or_else(|| policy::gateway_resource(operation, caller.partition, caller.region));
    let on_what = match resource.as_deref().unwrap_or(on) {
        "" => String::new(),
        resource => format!(" on {resource}"),
    };
    let explicit = if message.contains("explicit deny") { " by an explicit deny" } else { "" };
    let on_resource = resource.map(|resource| format!(" on `{resource}`")).unwrap_or_default();
    let help = format!(
        "allow `{action}`{on_resource} for the identity that you deploy with, or use another one with --profile or \
         AWS_PROFILE; `mdo policy` prints all that a deploy needs"
    );
    let refused = format!("{}: `{action}`{on_what} is not allowed{explicit}", doing(operation, on));
    Error::new(Cause::Denied, refused).with_help(help)
}

const CHECK_NETWORK: &str =
    "check the network, the proxy (HTTPS_PROXY), the region, and AWS_ENDPOINT_URL if you set it";

/// AWS cannot be reached, for a reason in words.
fn unreachable(doing: &str, what: &str) -> Error {
    Error::new(Cause::Unreachable, format!("{doing}: {what}")).with_help(CHECK_NETWORK)
}

fn no_answer<E: StdError + 'static>(
    doing: &str,
    error: &SdkError<E, HttpResponse>,
    redactor: &Redactor,
) -> Error {
    let why = redactor.clean(&chain(error));
    let network = |what: &str| unreachable(doing, what).with_reference(&why);
    match error {
        SdkError::TimeoutError(_) => network("AWS did not answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => network("AWS did not answer in time"),
        SdkError::DispatchFailure(_) if why.contains("dns error") => {
            network("cannot resolve the name of the AWS endpoint")
        }
        SdkError::DispatchFailure(failure) if failure.is_io() || why.contains("connect") => {
            network("cannot reach the AWS endpoint")
        }
        SdkError::ResponseError(_) => network("the answer does not come from AWS"),
        _ => Error::new(Cause::Other, format!("{doing}: {why}")),
    }
}

/// A resource of our name that belongs to somebody else.
pub(crate) fn not_ours(what: &str, name: &str, owner: Option<&str>) -> Error {
    let whose = match owner {
        Some(owner) => format!("belongs to the project {owner} (tag mdo:project)"),
        None => "was not made by mdo (it has no tag mdo:project)".to_owned(),
    };
    Error::new(Cause::NotOurs, format!("{what} {name} exists already and {whose}")).with_help(
        "rename the project, or take it over with --adopt: mdo then changes it to what the files say",
    )
}

/// Every distinct message of an error and its sources.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut messages: Vec<String> = Vec::new();
    let mut source = Some(error);
    while let Some(current) = source {
        let message = current.to_string();
        if messages.last().is_none_or(|last| !last.contains(&message)) {
            messages.push(message);
        }
        source = current.source();
    }
    messages.join(": ")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end).map_or(rest, |(inner, _)| inner).trim_end_matches('.'))
}
