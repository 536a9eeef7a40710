//! Each error that a user can meet, with its kind, its words and its way out.

use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

use std::sync::LazyLock;

use aws_credential_types::provider::error::CredentialsError;
use mdo_model::project::Secret;

use super::*;

fn caller(profile: Option<&'static str>) -> Caller<'static> {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("open-sesame"));
        redactor
    });
    Caller { profile, partition: "aws", region: "eu-west-1", redactor: &REDACTOR }
}

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
    let error = explain("lambda:CreateFunction", "ml_api_x", &error, &caller(None));
    assert_eq!(error.cause, Cause::Denied);
    assert_eq!(
        error.to_string(),
        "create function ml_api_x: `lambda:CreateFunction` on \
         arn:aws:lambda:us-east-1:123456789012:function:ml_api_x is not allowed \
         (AccessDeniedException, request 1234)"
    );
    assert!(error.help.expect("help").starts_with("allow `lambda:CreateFunction` on `arn:aws:lambda:"));
}

#[test]
fn expired_credentials_say_how_to_log_in() {
    let error = answer(403, "ExpiredTokenException", "The security token included in the request is expired");
    let error = explain("iam:GetRole", "r", &error, &caller(Some("work")));
    assert_eq!(error.cause, Cause::Expired);
    assert_eq!(error.message, "the AWS credentials have expired");
    assert_eq!(error.help.as_deref(), Some("log in again, for example with `aws sso login --profile work`"));
}

#[test]
fn unknown_credentials_are_told_from_a_denied_action() {
    let error = answer(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    assert_eq!(explain("sts:GetCallerIdentity", "", &error, &caller(None)).cause, Cause::Credentials);
}

#[test]
fn no_credentials_at_all_say_how_to_get_some() {
    let failure = aws_smithy_runtime_api::client::result::ConnectorError::other(
        Box::new(CredentialsError::not_loaded("no providers in chain provided credentials")),
        None,
    );
    let error: SdkError<ErrorMetadata, HttpResponse> = SdkError::dispatch_failure(failure);
    let error = explain("lambda:GetFunction", "f", &error, &caller(None));
    assert_eq!(error.cause, Cause::Credentials);
    assert_eq!(error.message, "no AWS credentials were found");
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
    let error = explain("lambda:GetFunction", "f", &error, &caller(None));
    assert_eq!(error.cause, Cause::Unreachable);
    assert_eq!(error.message, "get function f: cannot reach the AWS endpoint");
}

#[test]
fn a_denied_call_to_api_gateway_names_the_permission_that_iam_knows() {
    let error = answer(403, "AccessDeniedException", "");
    let error = explain("apigateway:GetRestApis", "", &error, &caller(None));
    assert_eq!(
        error.message,
        "get rest apis: `apigateway:GET` on arn:aws:apigateway:eu-west-1::/restapis is not allowed"
    );
    let help = error.help.expect("help");
    assert!(
        help.starts_with("allow `apigateway:GET` on `arn:aws:apigateway:eu-west-1::/restapis`"),
        "{help}"
    );
}

#[test]
fn what_aws_quotes_of_the_environment_is_hidden() {
    for code in ["InvalidParameterValueException", "SerializationException", "InvalidSignatureException"] {
        let error = answer(400, code, "cannot read {PASSWORD=secret-1, value=open-sesame}");
        let text = explain("lambda:CreateFunction", "f", &error, &caller(None)).to_string();
        assert!(!text.contains("sesame") && !text.contains("secret-1"), "{text}");
        assert!(text.contains("cannot read {PASSWORD=***, value=***}"), "{text}");
    }
    let denied =
        "User: arn:aws:iam::1:user/ci is not authorized to perform: open-sesame on resource: open-sesame";
    let error = explain("lambda:GetFunction", "f", &answer(403, "AccessDenied", denied), &caller(None));
    assert!(!format!("{error} {:?}", error.help).contains("sesame"));
}

#[test]
fn a_reserved_concurrency_of_zero_is_not_waited_for() {
    let mut error = answer(429, "TooManyRequestsException", "Rate Exceeded.");
    let body = r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}"#;
    if let SdkError::ServiceError(service) = error {
        let mut raw = HttpResponse::new(service.raw().status(), SdkBody::from(body));
        raw.headers_mut().insert("x-amzn-requestid", "1234");
        error = SdkError::service_error(service.into_err(), raw);
    }
    assert!(!is_throttle(&error));
    assert_eq!(explain("lambda:Invoke", "f", &error, &caller(None)).cause, Cause::Capped);
}
