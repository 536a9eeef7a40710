//! What stands in the way of signing a call: no credentials, expired ones, a profile that is not there or does not work.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::os_shim_internal::{Env, Fs};
use mdo_engine::{Cause, Error};
use mdo_model::project::AccountId;

use super::{CHECK_NETWORK, between, chain};

/// How much of what a credential process says is repeated: its end.
const STDERR_TAIL: usize = 600;

/// The error behind a call that could not be signed, if that is what happened.
pub(super) fn unsigned<E: StdError + 'static>(
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
    let none_at_all = matches!(credentials, CredentialsError::CredentialsNotLoaded(_));
    Some(unusable(none_at_all, &chain(credentials), profile))
}

/// What the words of a credential provider mean.
pub(super) fn unusable(none_at_all: bool, why: &str, profile: Option<&str>) -> Error {
    let says = |words: &[&str]| {
        let lower = why.to_ascii_lowercase();
        words.iter().any(|word| lower.contains(word))
    };
    if let Some(error) = broken_file(why) {
        return error;
    }
    if let Some(missing) = between(why, "profile `", "` was not defined") {
        return missing_profile(missing, why);
    }
    if says(&["no profiles were defined"]) {
        let error = match profile {
            Some(name) => Error::new(Cause::Credentials, format!("there is no AWS profile named `{name}`")),
            None => Error::new(Cause::Credentials, "there is no such AWS profile"),
        };
        return error.with_help(LIST_PROFILES);
    }
    if let Some((_, stderr)) = why.split_once("Stderr: ") {
        let status = between(why, "exited with code ", ". Stderr").unwrap_or_default();
        let status = status.rsplit(": ").next().unwrap_or_default();
        return process_failed(stderr.trim(), status, profile);
    }
    if says(&["expired", "cached sso token", "refresh"]) {
        return expired(profile).with_reference(why);
    }
    if says(&["external process"]) {
        return Error::new(Cause::Credentials, format!("the credential_process{} failed", of(profile)))
            .with_help("run the command that `credential_process` names, and see what it prints")
            .with_reference(why);
    }
    if says(&["connect", "dns error"]) {
        return Error::new(Cause::Unreachable, "cannot reach the service that hands out credentials")
            .with_help(CHECK_NETWORK)
            .with_reference(why);
    }
    if none_at_all {
        return Error::new(Cause::Credentials, "no AWS credentials were found").with_help(log_in(profile));
    }
    Error::new(Cause::Credentials, "cannot use the AWS credentials")
        .with_help(log_in(profile))
        .with_reference(why)
}

const LIST_PROFILES: &str =
    "`aws configure list-profiles` lists them; choose one with --profile or AWS_PROFILE";

/// A profile that is not there: the one that was asked for, or one that it leans on.
fn missing_profile(missing: &str, why: &str) -> Error {
    let message = format!("there is no AWS profile named `{missing}`");
    // What other providers have said stands behind it, on lines of their own.
    let line = why.split_once("referenced from ").map(|(_, rest)| rest.lines().next().unwrap_or(rest));
    let by = line.map(|line| line.split_once(':').map_or(line, |(by, _)| by).trim());
    match by.filter(|by| *by != "the root profile") {
        Some(by) => Error::new(
            Cause::Credentials,
            format!("{message}, which profile `{by}` names as its source_profile"),
        )
        .with_help(format!(
            "define `{missing}` in the AWS configuration, or correct source_profile of `{by}`"
        )),
        None => Error::new(Cause::Credentials, message).with_help(LIST_PROFILES),
    }
}

/// A configuration file that cannot be read or understood, by its name and line.
fn broken_file(why: &str) -> Option<Error> {
    let help = "correct the file, or name another one with AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE";
    if let Some((_, rest)) = why.split_once("error parsing ") {
        let (file, rest) = rest.split_once(" on line ")?;
        let (line, message) = rest.split_once(':')?;
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = format!("cannot read the AWS configuration: {file}:{line}: {message}");
        return Some(Error::new(Cause::Credentials, message).with_help(help));
    }
    let (file, rest) = why.split_once("could not read file `")?.1.split_once('`')?;
    let message = format!("cannot read the AWS configuration: {file}{rest}");
    Some(Error::new(Cause::Credentials, message).with_help(help))
}

fn process_failed(stderr: &str, status: &str, profile: Option<&str>) -> Error {
    let start = stderr.char_indices().rev().nth(STDERR_TAIL).map_or(0, |(index, _)| index);
    let said = match stderr.get(start..).unwrap_or(stderr).trim() {
        "" => "it said nothing".to_owned(),
        tail => format!("it said: {tail}"),
    };
    let status = if status.is_empty() { String::new() } else { format!(" with exit status {status}") };
    let message = format!("the credential_process{} failed{status}; {said}", of(profile));
    Error::new(Cause::Credentials, message)
        .with_help("run the command that `credential_process` names and correct what it complains about")
}

fn of(profile: Option<&str>) -> String {
    profile.map(|profile| format!(" of profile `{profile}`")).unwrap_or_default()
}

pub(super) fn expired(profile: Option<&str>) -> Error {
    let login = match profile {
        Some(profile) => format!("aws sso login --profile {profile}"),
        None => "aws sso login".to_owned(),
    };
    Error::new(Cause::Expired, "the AWS credentials have expired")
        .with_help(format!("log in again, for example with `{login}`"))
}

pub(super) fn log_in(profile: Option<&str>) -> String {
    match profile {
        Some(profile) => format!(
            "log in with `aws sso login --profile {profile}` or `aws configure --profile {profile}`, or choose \
             another profile with --profile or AWS_PROFILE"
        ),
        None => "log in with `aws configure` or `aws sso login`, or choose a profile with --profile or AWS_PROFILE"
            .to_owned(),
    }
}

/// Checks that the AWS configuration can be read and has the profile that is asked for.
pub(crate) async fn check_configuration(profile: Option<&str>) -> Result<(), Error> {
    let chosen = profile.map(|profile| profile.to_owned().into());
    match aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), chosen).await {
        Err(error) => broken_file(&chain(&error)).map_or(Ok(()), Err),
        Ok(profiles) => {
            let selected = profiles.selected_profile();
            let is_there = selected == "default" || profiles.get_profile(selected).is_some();
            if is_there || profiles.is_empty() { Ok(()) } else { Err(missing_profile(selected, "")) }
        }
    }
}

/// Neither flag, file, environment nor profile names a region.
pub(crate) fn no_region() -> Error {
    Error::new(Cause::Credentials, "no AWS region is configured").with_help(
        "set it with --region, `region` in project.toml, AWS_REGION, or `aws configure set region …`",
    )
}

/// The credentials belong to another account than the project is bound to.
pub(crate) fn wrong_account(wanted: &AccountId, actual: &AccountId, profile: Option<&str>) -> Error {
    let who = profile.map_or_else(|| "the credentials are".to_owned(), |name| format!("profile {name} is"));
    Error::new(
        Cause::Credentials,
        format!("{who} for account {actual}, but project.toml binds the project to account {wanted}"),
    )
    .with_help(
        "use credentials of that account (--profile, AWS_PROFILE), or change `account` in project.toml",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_profile_is_named() {
        let why = "ProfileFile provider could not be built: profile `nope` was not defined: could not find source \
                   profile nope referenced from the root profile";
        let error = unusable(false, why, Some("nope"));
        assert_eq!(error.message, "there is no AWS profile named `nope`");
        let error = unusable(true, "No profiles were defined", Some("nope"));
        assert_eq!(error.message, "there is no AWS profile named `nope`");
    }

    #[test]
    fn a_missing_source_profile_is_named_and_not_the_profile_that_names_it() {
        let why = "profile `base` was not defined: could not find source profile base referenced from deploy";
        let error = unusable(false, why, Some("deploy"));
        assert_eq!(
            error.message,
            "there is no AWS profile named `base`, which profile `deploy` names as its source_profile"
        );
    }

    #[test]
    fn a_credential_process_that_fails_is_repeated_with_the_end_of_what_it_said() {
        let why = "an error occurred while loading credentials: Error retrieving credentials: external process exited \
                   with code exit status: 3. Stderr: vault: token has expired\n";
        let error = unusable(false, why, Some("work"));
        assert_eq!(
            error.message,
            "the credential_process of profile `work` failed with exit status 3; it said: vault: token has expired"
        );
        assert_eq!(error.cause, Cause::Credentials);
        let long =
            format!("external process exited with code exit status: 1. Stderr: {}end", "x".repeat(9000));
        assert!(unusable(false, &long, None).message.len() < 700);
    }

    #[test]
    fn a_broken_configuration_file_is_told_with_its_line() {
        let why = "the credential provider was not properly configured: ProfileFile provider could not be built: invalid \
                   profile: could not parse profile file: error parsing /home/me/.aws/config on line 3:\n  Expected an \
                   '=' sign defining a property";
        let error = unusable(false, why, None);
        assert_eq!(
            error.message,
            "cannot read the AWS configuration: /home/me/.aws/config:3: Expected an '=' sign defining a property"
        );
    }

    #[test]
    fn an_sso_token_that_ran_out_is_expired() {
        let why =
            "an error occurred while loading credentials: the SSO token has expired and cannot be refreshed";
        assert_eq!(unusable(false, why, None).cause, Cause::Expired);
    }

    #[test]
    fn another_account_is_refused_by_name() {
        let id = |text: &str| text.parse::<AccountId>().expect("an account");
        let error = wrong_account(&id("111111111111"), &id("222222222222"), None);
        assert_eq!(
            error.message,
            "the credentials are for account 222222222222, but project.toml binds the project to account 111111111111"
        );
    }
}
