//! What AWS's errors mean to a user: what failed, on what, why, and the way out.

#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use mdo_engine::{Error, ErrorKind};
use mdo_model::project::AccountId;

const THROTTLES: [&str; 7] = [
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestLimitExceeded",
    "SlowDown",
    "RequestThrottled",
];

const DENIED: [&str; 5] =
    ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "Forbidden", "AllAccessDisabled"];

const EXPIRED: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

const UNKNOWN_IDENTITY: [&str; 9] = [
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AuthFailure",
];

const NOT_FOUND: [&str; 6] = [
    "ResourceNotFoundException",
    "NotFoundException",
    "NoSuchEntity",
    "NoSuchKey",
    "NoSuchBucket",
    "NotFound",
];

const CONFLICT: [&str; 7] = [
    "ResourceConflictException",
    "ConflictException",
    "EntityAlreadyExists",
    "ResourceAlreadyExistsException",
    "PreconditionFailedException",
    "ConcurrentModificationException",
    "DeleteConflict",
];

/// Whether AWS asks for slower calls.
pub(crate) fn is_throttle<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error.code() {
        // API Gateway's word for a limit that waiting does not lift.
        Some("LimitExceededException") => false,
        Some(code) if THROTTLES.contains(&code) => true,
        _ => error.raw_response().is_some_and(|response| response.status().as_u16() == 429),
    }
}

/// How long AWS asks to wait.
pub(crate) fn retry_after<E>(error: &SdkError<E, HttpResponse>) -> Option<Duration> {
    let text = error.raw_response()?.headers().get("retry-after")?;
    text.trim()
        .parse()
        .ok()
        .filter(|seconds: &f64| (0.0..=3600.0).contains(seconds))
        .map(Duration::from_secs_f64)
}

/// Whether the same call may well succeed a moment later. With `once`, only when it surely has not arrived.
pub(crate) fn is_transient<E: StdError + 'static>(error: &SdkError<E, HttpResponse>, once: bool) -> bool {
    match error {
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            !once || chain(error).contains("(Connect)")
        }
        // A connection that is closed before the answer is neither to the SDK.
        SdkError::DispatchFailure(_) => !once && chain(error).contains("(SendRequest)"),
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => !once,
        SdkError::ServiceError(service) => {
            !once && matches!(service.raw().status().as_u16(), 500 | 502 | 503 | 504)
        }
        _ => false,
    }
}

/// What an error of AWS means to a user.
pub(crate) fn explain<E>(
    operation: &'static str,
    on: &str,
    error: &SdkError<E, HttpResponse>,
    profile: Option<&str>,
) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let doing = doing(operation, on);
    match error {
        SdkError::ServiceError(service) => {
            let code = error.code().map_or_else(|| status_code(service.raw()), str::to_owned);
            let message = error.message().unwrap_or_default();
            let explained = service_error(operation, on, &code, message, profile);
            let reference = match request_id(service.raw()) {
                Some(id) => format!("{code}, request {id}"),
                None => code.clone(),
            };
            explained.with_code(code).with_reference(reference)
        }
        _ => match credentials_error(error, profile) {
            Some(error) => error,
            None => no_answer(&doing, error),
        },
    }
}

/// `create function ml_api_x`.
fn doing(operation: &str, on: &str) -> String {
    let name = operation.split_once(':').map_or(operation, |(_, name)| name);
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

fn service_error(operation: &str, on: &str, code: &str, message: &str, profile: Option<&str>) -> Error {
    let doing = doing(operation, on);
    let why = if message.is_empty() { code } else { message };
    let is = |codes: &[&str]| codes.contains(&code);
    if is(&DENIED) {
        let action = between(message, "not authorized to perform: ", " ").unwrap_or(operation);
        let resource = between(message, "on resource: ", " ").unwrap_or(on);
        let help = format!(
            "allow `{action}` for the identity that you deploy with, or use another one with --profile or \
             AWS_PROFILE"
        );
        let explicit = if message.contains("explicit deny") { " by an explicit deny" } else { "" };
        let refused = format!("{doing}: `{action}` on {resource} is not allowed{explicit}");
        return Error::new(ErrorKind::Permission, refused).with_help(help);
    }
    if is(&EXPIRED) {
        return expired(profile);
    }
    if is(&UNKNOWN_IDENTITY) {
        return Error::new(ErrorKind::Credentials, format!("AWS does not accept the credentials: {why}"))
            .with_help(log_in(profile));
    }
    let kind = match () {
        () if is(&NOT_FOUND) => ErrorKind::NotFound,
        () if is(&CONFLICT) => ErrorKind::Conflict,
        () if code.contains("Validation") || code.contains("Invalid") || code.contains("Malformed") => {
            ErrorKind::Invalid
        }
        () if code == "BadRequestException" => ErrorKind::Invalid,
        () => ErrorKind::Other,
    };
    let error = Error::new(kind, format!("{doing}: {why}"));
    match code {
        "PreconditionFailedException" => {
            error.with_help("somebody else changed it at the same time; run the command again")
        }
        _ if THROTTLES.contains(&code) => {
            error.with_help("AWS kept throttling this account; run the command again in a minute")
        }
        "NoSuchBucket" => {
            error.with_help("create the bucket, or name another one in `[artifacts]` of project.toml")
        }
        "PermanentRedirect" | "HTTP 301" => error.with_help(
            "the bucket of `[artifacts]` is in another region; Lambda needs it in the function's own",
        ),
        "CodeStorageExceededException" => {
            error.with_help("delete old versions of functions that no stage points at, then deploy again")
        }
        _ => error,
    }
}

/// The error behind a call that could not be signed, if that is what happened.
fn credentials_error<E: StdError + 'static>(
    error: &SdkError<E, HttpResponse>,
    profile: Option<&str>,
) -> Option<Error> {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    let credentials = loop {
        let current = source?;
        if let Some(found) = current.downcast_ref::<CredentialsError>() {
            break found;
        }
        source = current.source();
    };
    Some(no_credentials(
        matches!(credentials, CredentialsError::CredentialsNotLoaded(_)),
        &chain(credentials),
        profile,
    ))
}

fn no_credentials(none_at_all: bool, why: &str, profile: Option<&str>) -> Error {
    let lower = why.to_ascii_lowercase();
    if lower.contains("was not defined") || lower.contains("no profiles were defined") {
        let what = match profile {
            Some(name) => format!("there is no AWS profile named `{name}`"),
            None => "there is no such AWS profile".to_owned(),
        };
        return Error::new(ErrorKind::Credentials, what)
            .with_help("`aws configure list-profiles` lists them; choose one with --profile or AWS_PROFILE")
            .with_reference(why);
    }
    if lower.contains("expired") || lower.contains("cached sso token") || lower.contains("refresh") {
        return expired(profile).with_reference(why);
    }
    if lower.contains("connect") || lower.contains("dns error") {
        return Error::new(ErrorKind::Network, "the service that hands out credentials cannot be reached")
            .with_help(CHECK_NETWORK)
            .with_reference(why);
    }
    if none_at_all {
        return Error::new(ErrorKind::Credentials, "no AWS credentials were found")
            .with_help(log_in(profile));
    }
    Error::new(ErrorKind::Credentials, "the AWS credentials cannot be used")
        .with_help(log_in(profile))
        .with_reference(why)
}

fn expired(profile: Option<&str>) -> Error {
    let login = match profile {
        Some(profile) => format!("aws sso login --profile {profile}"),
        None => "aws sso login".to_owned(),
    };
    Error::new(ErrorKind::Credentials, "the AWS credentials have expired")
        .with_help(format!("log in again, for example with `{login}`"))
}

fn log_in(profile: Option<&str>) -> String {
    match profile {
        Some(profile) => format!(
            "log in with `aws sso login --profile {profile}` or `aws configure --profile {profile}`, or choose \
             another profile with --profile or AWS_PROFILE"
        ),
        None => "log in with `aws configure` or `aws sso login`, or choose a profile with --profile or AWS_PROFILE"
            .to_owned(),
    }
}

const CHECK_NETWORK: &str =
    "check the network, the proxy (HTTPS_PROXY), the region, and AWS_ENDPOINT_URL if you set it";

fn no_answer<E: StdError + 'static>(doing: &str, error: &SdkError<E, HttpResponse>) -> Error {
    let why = chain(error);
    let network = |what: &str| {
        Error::new(ErrorKind::Network, format!("{doing}: {what}"))
            .with_help(CHECK_NETWORK)
            .with_reference(&why)
    };
    match error {
        SdkError::TimeoutError(_) => network("AWS did not answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => network("AWS did not answer in time"),
        SdkError::DispatchFailure(_) if why.contains("dns error") => {
            network("the name of the AWS endpoint cannot be resolved")
        }
        SdkError::DispatchFailure(failure) if failure.is_io() || why.contains("connect") => {
            network("the AWS endpoint cannot be reached")
        }
        SdkError::ResponseError(_) => network("the answer is not one of AWS"),
        _ => Error::new(ErrorKind::Other, format!("{doing}: {why}")),
    }
}

/// Neither flag, file, environment nor profile names a region.
pub(crate) fn no_region() -> Error {
    Error::new(ErrorKind::Credentials, "no AWS region is configured").with_help(
        "say which with --region, `region` in project.toml, AWS_REGION, or `aws configure set region …`",
    )
}

/// The credentials belong to another account than the project is bound to.
pub(crate) fn wrong_account(wanted: &AccountId, actual: &AccountId, profile: Option<&str>) -> Error {
    let who = profile.map_or_else(|| "the credentials are".to_owned(), |name| format!("profile {name} is"));
    Error::new(
        ErrorKind::Credentials,
        format!("{who} for account {actual}, but project.toml binds the project to account {wanted}"),
    )
    .with_help(
        "use credentials of that account (--profile, AWS_PROFILE), or change `account` in project.toml",
    )
}

/// A resource of our name that belongs to somebody else.
pub(crate) fn not_ours(what: &str, name: &str, owner: Option<&str>) -> Error {
    let whose = match owner {
        Some(owner) => format!("belongs to the project {owner} (tag mdo:project)"),
        None => "was not made by mdo (it has no tag mdo:project)".to_owned(),
    };
    Error::new(ErrorKind::NotOurs, format!("{what} {name} exists already and {whose}")).with_help(
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
