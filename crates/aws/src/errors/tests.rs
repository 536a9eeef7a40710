//! Each error that a user can meet, with its kind, its words and its way out.

use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

use super::*;

fn answer(status: u16, code: &str, message: &str) -> SdkError<ErrorMetadata, HttpResponse> {
    let status = StatusCode::try_from(status).expect("a status");
    let mut response = HttpResponse::new(status, SdkBody::empty());
    response.headers_mut().insert("x-amzn-requestid", "1234");
    if status.as_u16() == 429 {
        response.headers_mut().insert("retry-after", "3");
    }
    let error = ErrorMetadata::builder().code(code).message(message).build();
    SdkError::service_error(error, response)
}

#[test]
fn a_denied_call_names_the_missing_action_and_resource() {
    let error = answer(
        403,
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: lambda:CreateFunction on resource: \
         arn:aws:lambda:us-east-1:123456789012:function:ml_api_x because no identity-based policy allows it",
    );
    let error = explain("lambda:CreateFunction", "ml_api_x", &error, None);
    assert_eq!(error.kind, ErrorKind::Permission);
    assert_eq!(
        error.to_string(),
        "create function ml_api_x: `lambda:CreateFunction` on \
         arn:aws:lambda:us-east-1:123456789012:function:ml_api_x is not allowed \
         (AccessDeniedException, request 1234)"
    );
    assert!(error.help.expect("help").starts_with("allow `lambda:CreateFunction`"));
}

#[test]
fn expired_credentials_say_how_to_log_in() {
    let error = answer(403, "ExpiredTokenException", "The security token included in the request is expired");
    let error = explain("iam:GetRole", "r", &error, Some("work"));
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert_eq!(error.message, "the AWS credentials have expired");
    assert_eq!(error.help.as_deref(), Some("log in again, for example with `aws sso login --profile work`"));
}

#[test]
fn unknown_credentials_are_told_from_a_denied_action() {
    let error = answer(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    assert_eq!(explain("sts:GetCallerIdentity", "", &error, None).kind, ErrorKind::Credentials);
}

#[test]
fn no_credentials_at_all_say_how_to_get_some() {
    let failure = aws_smithy_runtime_api::client::result::ConnectorError::other(
        Box::new(CredentialsError::not_loaded("no providers in chain provided credentials")),
        None,
    );
    let error: SdkError<ErrorMetadata, HttpResponse> = SdkError::dispatch_failure(failure);
    let error = explain("lambda:GetFunction", "f", &error, None);
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert_eq!(error.message, "no AWS credentials were found");
}

#[test]
fn a_wrong_profile_is_named() {
    let error = no_credentials(false, "profile `nope` was not defined: could not find it", Some("nope"));
    assert_eq!(error.message, "there is no AWS profile named `nope`");
}

#[test]
fn the_code_survives_for_those_who_decide_on_it() {
    let error = answer(409, "ResourceConflictException", "Function already exist: f");
    let error = explain("lambda:CreateFunction", "f", &error, None);
    assert_eq!(
        (error.kind.clone(), error.code.as_deref()),
        (ErrorKind::Conflict, Some("ResourceConflictException"))
    );
    let error = answer(404, "NoSuchEntity", "The role with name r cannot be found.");
    assert_eq!(explain("iam:GetRolePolicy", "r", &error, None).kind, ErrorKind::NotFound);
}

#[test]
fn throttling_is_seen_with_the_time_that_aws_asks_for() {
    let error = answer(429, "TooManyRequestsException", "Rate exceeded");
    assert!(is_throttle(&error));
    assert_eq!(retry_after(&error), Some(Duration::from_secs(3)));
    assert!(!is_throttle(&answer(400, "ValidationException", "no")));
}

#[test]
fn a_failing_service_is_asked_again_but_never_to_make_a_second_key() {
    let error = answer(503, "ServiceUnavailableException", "");
    assert!(is_transient(&error, false));
    assert!(!is_transient(&error, true));
}

#[test]
fn an_unreachable_endpoint_is_a_network_error() {
    let failure = aws_smithy_runtime_api::client::result::ConnectorError::io("connection refused".into());
    let error: SdkError<ErrorMetadata, HttpResponse> = SdkError::dispatch_failure(failure);
    let error = explain("lambda:GetFunction", "f", &error, None);
    assert_eq!(error.kind, ErrorKind::Network);
    assert_eq!(error.message, "get function f: the AWS endpoint cannot be reached");
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
