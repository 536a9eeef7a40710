//! Which [`Cause`] an answer of AWS has: the one place that knows its codes and reads its texts.

use mdo_engine::Cause;

/// AWS asks for slower calls.
pub(super) const THROTTLES: [&str; 7] = [
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestLimitExceeded",
    "SlowDown",
    "RequestThrottled",
];

/// What a code means wherever it comes from.
const CODES: [(&[&str], Cause); 10] = [
    (&THROTTLES, Cause::Throttled),
    (
        &["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "Forbidden", "AllAccessDisabled"],
        Cause::Denied,
    ),
    (&["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"], Cause::Expired),
    (
        &[
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "AuthFailure",
        ],
        Cause::Credentials,
    ),
    (
        &[
            "ResourceNotFoundException",
            "NotFoundException",
            "NoSuchEntity",
            "NoSuchKey",
            "NoSuchBucket",
            "NotFound",
            "LoadBalancerNotFound",
            "ListenerNotFound",
            "RuleNotFound",
            "TargetGroupNotFound",
            "RepositoryNotFoundException",
            "LifecyclePolicyNotFoundException",
            "InvalidGroup.NotFound",
            "InvalidSubnetID.NotFound",
            "ClusterNotFoundException",
            "ServiceNotFoundException",
            "ServiceNotActiveException",
            "ObjectNotFoundException",
        ],
        Cause::Gone,
    ),
    (
        &[
            "EntityAlreadyExists",
            "ResourceAlreadyExistsException",
            "RepositoryAlreadyExistsException",
            "DuplicateLoadBalancerName",
            "DuplicateListener",
            "DuplicateTargetGroupName",
            "PriorityInUse",
            "InvalidGroup.Duplicate",
            "InvalidPermission.Duplicate",
        ],
        Cause::Exists,
    ),
    (
        &[
            "DependencyViolation",
            "ResourceInUse",
            "ClusterContainsServicesException",
            "ClusterContainsTasksException",
            "UpdateInProgressException",
        ],
        Cause::Busy,
    ),
    (&["CertificateNotFound", "UnsupportedCertificate", "SubnetNotFound"], Cause::Invalid),
    (&["PreconditionFailedException"], Cause::Stale),
    (
        &[
            "ConcurrentModification",
            "ConcurrentModificationException",
            "EntityTemporarilyUnmodifiable",
            "OperationAbortedException",
            "ConcurrentUpdateException",
        ],
        Cause::Concurrent,
    ),
];

/// What Lambda says while a fresh role or its grants have not got around yet.
const ROLE_NOT_READY: [&str; 3] = [
    "cannot be assumed by Lambda",
    "The provided execution role does not have permissions",
    "KMS key is invalid for CreateGrant",
];

/// What ECS says while a fresh role, its own or ours, has not got around yet.
const ECS_ROLE_NOT_READY: [&str; 2] = ["Unable to assume the service linked role", "Role is not valid"];

/// What Lambda says of a function that it is still at work on.
const BUSY: [&str; 3] = ["in progress", "current state", "following state"];

/// What Lambda says of code that is not what a publication asks for any more.
const OTHER_CODE: &str = "is different from current CodeSHA256";

/// What Lambda gives as the reason of a throttled invocation when a limit of the function's own is in the way.
const CAPPED: [&str; 2] =
    ["ReservedFunctionConcurrentInvocationLimitExceeded", "ReservedFunctionInvocationRateLimitExceeded"];

/// Why a call was refused, by the code, the text and the reason of the answer, and by what was asked for where those
/// leave it open.
pub(super) fn of(operation: &str, code: &str, message: &str, reason: Option<&str>) -> Cause {
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    match code {
        "TooManyRequestsException" if reason.is_some_and(|reason| CAPPED.contains(&reason)) => Cause::Capped,
        "InvalidParameterValueException" if says(&ROLE_NOT_READY) => Cause::RoleNotReady,
        "InvalidParameterValueException" if says(&[OTHER_CODE]) => Cause::Stale,
        // API Gateway and Lambda have one code for whatever is in the way.
        "ResourceConflictException" | "ConflictException" => {
            let creates = operation.split_once(':').is_some_and(|(_, name)| name.starts_with("Create"));
            match () {
                () if says(&BUSY) => Cause::Busy,
                () if says(&["concurrent modification"]) => Cause::Concurrent,
                () if says(&["already"]) || (creates && code == "ResourceConflictException") => Cause::Exists,
                () => Cause::Concurrent,
            }
        }
        // ECS has two codes for nearly everything.
        "InvalidParameterException" | "ClientException" if operation.starts_with("ecs:") => match () {
            () if says(&ECS_ROLE_NOT_READY) => Cause::RoleNotReady,
            () if says(&["still Draining"]) => Cause::Busy,
            () if says(&["was not idempotent"]) => Cause::Exists,
            () if operation == "ecs:DescribeTaskDefinition" && says(&["Unable to describe"]) => Cause::Gone,
            () => Cause::Invalid,
        },
        "DeleteConflict" => Cause::Busy,
        // `The role policy with name …`, as against `The role with name …`.
        "NoSuchEntity" if operation == "iam:GetRolePolicy" && is_about_policy(message) => Cause::PartGone,
        _ => {
            let known = CODES.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, cause)| cause.clone());
            known.unwrap_or_else(|| if is_refusal(code) { Cause::Invalid } else { Cause::Other })
        }
    }
}

fn is_about_policy(message: &str) -> bool {
    message.to_ascii_lowercase().contains("policy")
}

fn is_refusal(code: &str) -> bool {
    code == "BadRequestException"
        || ["Validation", "Invalid", "Malformed"].iter().any(|word| code.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(operation: &str, code: &str, message: &str) -> Cause {
        of(operation, code, message, None)
    }

    #[test]
    fn only_the_texts_of_a_fresh_role_are_waited_for() {
        let invalid = "InvalidParameterValueException";
        for text in [
            "The role defined for the function cannot be assumed by Lambda.",
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
            "Lambda was unable to configure access to your environment variables because the KMS key is invalid for \
             CreateGrant.",
        ] {
            assert_eq!(cause("lambda:CreateFunction", invalid, text), Cause::RoleNotReady, "{text}");
        }
        let too_large = "Unzipped size must be smaller than 262144000 bytes";
        assert_eq!(cause("lambda:CreateFunction", invalid, too_large), Cause::Invalid);
        let denied = cause("lambda:CreateFunction", "AccessDeniedException", "cannot be assumed by Lambda");
        assert_eq!(denied, Cause::Denied);
    }

    #[test]
    fn an_update_in_progress_is_told_from_a_function_that_exists() {
        let conflict = |operation, text| cause(operation, "ResourceConflictException", text);
        let busy =
            "The operation cannot be performed at this time. An update is in progress for resource: arn:x";
        let pending = "The operation cannot be performed at this time. The function is currently in the following \
                       state: Pending";
        assert_eq!(conflict("lambda:UpdateFunctionCode", busy), Cause::Busy);
        assert_eq!(conflict("lambda:UpdateFunctionConfiguration", pending), Cause::Busy);
        assert_eq!(conflict("lambda:CreateFunction", busy), Cause::Busy);
        assert_eq!(conflict("lambda:CreateFunction", "Function already exist: f"), Cause::Exists);
        assert_eq!(conflict("lambda:CreateAlias", "Alias already exists: arn:x"), Cause::Exists);
        // An emulator's own text for the same.
        assert_eq!(conflict("lambda:CreateAlias", ""), Cause::Exists);
    }

    #[test]
    fn a_statement_that_exists_is_told_from_a_policy_that_is_being_changed() {
        let conflict = |text| cause("lambda:AddPermission", "ResourceConflictException", text);
        let exists = "The statement id (mdo-api-dev) provided already exists. Please provide a new statement id, or \
                      remove the existing statement.";
        assert_eq!(conflict(exists), Cause::Exists);
        assert_eq!(conflict("The resource is being modified by another request"), Cause::Concurrent);
    }

    #[test]
    fn a_change_at_the_same_time_is_told_from_a_link_that_exists() {
        let conflict = |text| cause("apigateway:CreateUsagePlanKey", "ConflictException", text);
        let concurrent =
            "Unable to complete operation due to concurrent modification. Please try again later.";
        assert_eq!(conflict(concurrent), Cause::Concurrent);
        assert_eq!(conflict("Usage Plan Key already exists"), Cause::Exists);
        let role = cause("iam:CreateRole", "EntityAlreadyExists", "Role with name r already exists.");
        assert_eq!(role, Cause::Exists);
    }

    #[test]
    fn a_missing_role_is_told_from_a_missing_policy() {
        let missing = |text| cause("iam:GetRolePolicy", "NoSuchEntity", text);
        assert_eq!(missing("The role with name ml_api_lambda_function cannot be found."), Cause::Gone);
        assert_eq!(missing("The role policy with name mdo cannot be found."), Cause::PartGone);
        assert_eq!(
            cause("iam:DeleteRole", "NoSuchEntity", "The role with name r cannot be found."),
            Cause::Gone
        );
    }

    #[test]
    fn a_revision_that_moved_on_is_stale() {
        let text = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction API";
        assert_eq!(cause("lambda:PublishVersion", "PreconditionFailedException", text), Cause::Stale);
        let text = "CodeSHA256 (a=) is different from current CodeSHA256 in $LATEST (b=). Please try again with the \
                    CodeSHA256 in $LATEST.";
        assert_eq!(cause("lambda:PublishVersion", "InvalidParameterValueException", text), Cause::Stale);
    }

    #[test]
    fn what_hosting_is_told_of_each_service_has_a_cause() {
        for (operation, code, wanted) in [
            ("elasticloadbalancing:DescribeLoadBalancers", "LoadBalancerNotFound", Cause::Gone),
            ("elasticloadbalancing:CreateTargetGroup", "DuplicateTargetGroupName", Cause::Exists),
            ("elasticloadbalancing:CreateRule", "PriorityInUse", Cause::Exists),
            ("elasticloadbalancing:DeleteTargetGroup", "ResourceInUse", Cause::Busy),
            ("elasticloadbalancing:CreateListener", "CertificateNotFound", Cause::Invalid),
            ("ec2:DeleteSecurityGroup", "DependencyViolation", Cause::Busy),
            ("ec2:CreateSecurityGroup", "InvalidGroup.Duplicate", Cause::Exists),
            ("ec2:DescribeSubnets", "InvalidSubnetID.NotFound", Cause::Gone),
            ("ec2:DescribeSubnets", "InvalidSubnetID.Malformed", Cause::Invalid),
            ("ec2:DescribeSubnets", "UnauthorizedOperation", Cause::Denied),
            ("ec2:DescribeSubnets", "RequestLimitExceeded", Cause::Throttled),
            ("ecr:DescribeRepositories", "RepositoryNotFoundException", Cause::Gone),
            ("ecr:GetLifecyclePolicy", "LifecyclePolicyNotFoundException", Cause::Gone),
            ("ecr:CreateRepository", "RepositoryAlreadyExistsException", Cause::Exists),
        ] {
            assert_eq!(cause(operation, code, ""), wanted, "{code}");
        }
    }

    #[test]
    fn what_ecs_says_of_roles_and_former_services_is_waited_for() {
        let ecs = |code, text| cause("ecs:CreateService", code, text);
        let linked = "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
        assert_eq!(ecs("InvalidParameterException", linked), Cause::RoleNotReady);
        assert_eq!(ecs("ClientException", "Role is not valid"), Cause::RoleNotReady);
        let draining = "Unable to Start a service that is still Draining.";
        assert_eq!(ecs("InvalidParameterException", draining), Cause::Busy);
        assert_eq!(
            ecs("InvalidParameterException", "Creation of service was not idempotent."),
            Cause::Exists
        );
        assert_eq!(ecs("InvalidParameterException", "No such subnet"), Cause::Invalid);
        let gone =
            cause("ecs:DescribeTaskDefinition", "ClientException", "Unable to describe task definition: x:1");
        assert_eq!(gone, Cause::Gone);
    }

    #[test]
    fn a_limit_of_the_function_is_told_from_one_of_the_account() {
        let throttled = |reason| of("lambda:Invoke", "TooManyRequestsException", "Rate Exceeded.", reason);
        assert_eq!(throttled(Some("ReservedFunctionConcurrentInvocationLimitExceeded")), Cause::Capped);
        assert_eq!(throttled(Some("ConcurrentInvocationLimitExceeded")), Cause::Throttled);
        assert_eq!(throttled(None), Cause::Throttled);
    }
}
