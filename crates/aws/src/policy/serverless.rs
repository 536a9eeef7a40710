//! What IAM has to allow for stages that Lambda and API Gateway answer: the one table of it.
//!
//! Which actions and resources there are is from AWS's [Service Authorization Reference][sar], for each service its page; what
//! AWS asks for beside a call is noted where it stands.
//!
//! [sar]: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html

use mdo_model::stack::Kind;

use super::group::Part::{Deploy, Destroy, Look, Operate};
use super::group::{Group, On, Only, When};

pub(super) const GROUPS: &[Group] = &[
    // Lists have no resource that IAM could narrow them to.
    Group::new(
        Look,
        "Lists",
        On::Everything,
        &["lambda:ListFunctions", "logs:DescribeLogGroups", "events:ListRules"],
    ),
    Group::new(
        Look,
        "Functions",
        On::Functions,
        &[
            "lambda:GetFunction",
            "lambda:GetFunctionConcurrency",
            "lambda:GetPolicy",
            "lambda:ListAliases",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
        ],
    ),
    Group::new(
        Look,
        "Role",
        On::Role,
        &["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
    ),
    Group::new(Look, "LogGroups", On::LogGroups, &["logs:ListTagsForResource"]),
    Group::new(
        Look,
        "Rules",
        On::Rules,
        &["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"],
    ),
    // Reading keys with their values is the same permission as listing them, for every key of the region: IAM knows them by
    // their ids alone.
    Group::new(
        Look,
        "Api",
        On::Gateway,
        &[
            "apigateway:GetApiKeys",
            "apigateway:GetDeployments",
            "apigateway:GetRestApi",
            "apigateway:GetRestApis",
            "apigateway:GetStage",
            "apigateway:GetStages",
            "apigateway:GetUsagePlan",
            "apigateway:GetUsagePlanKeys",
            "apigateway:GetUsagePlans",
        ],
    ),
    Group::new(Look, "LayerLists", On::Everything, &["lambda:ListLayerVersions"]).with(Kind::Derivative),
    // What AWS's own key encrypts asks for no permission of its own; who has another one grants that key.
    Group::new(Look, "Parameters", On::Parameters, &["ssm:GetParameters"]),
    Group::new(Look, "Secrets", On::Secrets, &["secretsmanager:GetSecretValue"]),
    // Lambda decrypts an environment for who reads it with that reader's own permission.
    // <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html>
    Group::new(Look, "Keys", On::KmsKeys, &[]).beside(&["kms:Decrypt"]),
    Group::new(
        Deploy,
        "Functions",
        On::Functions,
        &[
            "lambda:CreateAlias",
            "lambda:CreateFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:PublishVersion",
            "lambda:PutFunctionConcurrency",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
    )
    .with(Kind::Function),
    Group::new(Deploy, "Callers", On::Functions, &["lambda:AddPermission", "lambda:RemovePermission"])
        .with(Kind::Function)
        .only(Only::ToOurCallers),
    // Who creates or updates a function hands it a role. <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html>
    Group::new(Deploy, "PassRole", On::PassedRoles, &[])
        .with(Kind::Function)
        .beside(&["iam:PassRole"])
        .only(Only::PassedTo("lambda.amazonaws.com")),
    Group::new(Deploy, "Role", On::Role, &["iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy"])
        .with(Kind::Role),
    Group::new(Deploy, "RolePolicy", On::Role, &["iam:CreateRole", "iam:PutRolePolicy"])
        .with(Kind::Role)
        .only(Only::WithinBoundary),
    Group::new(Deploy, "Permissions", On::Role, &["iam:DetachRolePolicy", "iam:ListRolePolicies"])
        .with(Kind::Permissions),
    Group::new(Deploy, "ManagedPolicies", On::Role, &["iam:AttachRolePolicy"])
        .when(When::ManagedPolicies)
        .only(Only::NamedPolicy),
    Group::new(Deploy, "Boundary", On::Role, &["iam:PutRolePermissionsBoundary"])
        .when(When::Boundary)
        .only(Only::NamedBoundary),
    Group::new(
        Deploy,
        "LogGroups",
        On::LogGroups,
        &[
            "logs:CreateLogGroup",
            "logs:DeleteRetentionPolicy",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ],
    ),
    Group::new(
        Deploy,
        "Rules",
        On::Rules,
        &[
            "events:DeleteRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
            "events:UntagResource",
        ],
    )
    .with(Kind::Function),
    Group::new(
        Deploy,
        "Api",
        On::Gateway,
        &[
            "apigateway:CreateDeployment",
            "apigateway:CreateUsagePlan",
            "apigateway:CreateUsagePlanKey",
            "apigateway:ImportRestApi",
            "apigateway:PutRestApi",
            "apigateway:TagResource",
            "apigateway:UntagResource",
            "apigateway:UpdateStage",
            "apigateway:UpdateUsagePlan",
        ],
    )
    .with(Kind::Function)
    .only(Only::OwnGateway),
    // An ended key goes with the deploy after it.
    Group::new(
        Deploy,
        "ApiKeys",
        On::Gateway,
        &[
            "apigateway:CreateApiKey",
            "apigateway:DeleteApiKey",
            "apigateway:TagResource",
            "apigateway:UntagResource",
            "apigateway:UpdateApiKey",
        ],
    )
    .only(Only::OwnGateway),
    // The first API of an account brings this role with it.
    // <https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html>
    Group::new(Deploy, "ApiLinkedRole", On::LinkedRoles(&["ops.apigateway.amazonaws.com"]), &[])
        .with(Kind::Function)
        .beside(&["iam:CreateServiceLinkedRole"]),
    Group::new(Deploy, "Layers", On::OwnLayers, &["lambda:PublishLayerVersion"]).with(Kind::Derivative),
    // Lambda checks that who attaches a layer may read it. <https://docs.aws.amazon.com/lambda/latest/dg/permissions-layer-cross-account.html>
    Group::new(Deploy, "ReadLayers", On::Layers, &[]).beside(&["lambda:GetLayerVersion"]),
    // Lambda fetches the code with the permission of who names it.
    Group::new(
        Deploy,
        "Artifacts",
        On::Artifacts,
        &[
            "s3:AbortMultipartUpload",
            "s3:CompleteMultipartUpload",
            "s3:CreateMultipartUpload",
            "s3:HeadObject",
            "s3:UploadPart",
        ],
    ),
    Group::new(Deploy, "Zips", On::Zips, &["s3:GetObject"]),
    // <https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html>
    Group::new(Deploy, "Vpc", On::Everything, &[]).when(When::Vpc).beside(&[
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    ]),
    // <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html>
    Group::new(Deploy, "Keys", On::KmsKeys, &[]).beside(&["kms:CreateGrant", "kms:Encrypt"]),
    // An alarm made of others is told to nobody whose permission is narrower.
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
    Group::new(Deploy, "Alarms", On::Everything, &["cloudwatch:DescribeAlarms"]).with(Kind::Function),
    Group::new(Operate, "Invoke", On::Aliases, &["lambda:Invoke"]).with(Kind::Function),
    Group::new(Operate, "Logs", On::LogGroups, &["logs:FilterLogEvents"]),
    Group::new(Operate, "Account", On::Everything, &["lambda:GetAccountSettings"]),
    Group::new(Operate, "Api", On::Gateway, &["apigateway:GetUsage"]),
    // No resource and no condition narrows what is measured.
    Group::new(Operate, "Metrics", On::Everything, &["cloudwatch:GetMetricData"]),
    Group::new(Destroy, "Functions", On::Functions, &["lambda:DeleteAlias", "lambda:DeleteFunction"])
        .with(Kind::Function),
    Group::new(
        Destroy,
        "Role",
        On::Role,
        &[
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
        ],
    )
    .with(Kind::Role),
    Group::new(Destroy, "LogGroups", On::LogGroups, &["logs:DeleteLogGroup"]),
    Group::new(Destroy, "Rules", On::Rules, &["events:DeleteRule", "events:RemoveTargets"])
        .with(Kind::Function),
    Group::new(
        Destroy,
        "Api",
        On::Gateway,
        &[
            "apigateway:DeleteDeployment",
            "apigateway:DeleteRestApi",
            "apigateway:DeleteStage",
            "apigateway:DeleteUsagePlan",
            "apigateway:UpdateUsagePlan",
        ],
    )
    .with(Kind::Function)
    .only(Only::OwnGateway),
    Group::new(Destroy, "ApiKeys", On::Gateway, &["apigateway:DeleteApiKey"]).only(Only::OwnGateway),
    // What is not in the files any more may have left a layer.
    Group::new(Destroy, "LayerLists", On::Everything, &["lambda:ListLayers"]),
    Group::new(Destroy, "Bucket", On::Bucket, &["s3:ListObjectsV2"]),
    Group::new(Destroy, "Artifacts", On::Artifacts, &["s3:DeleteObject", "s3:HeadObject"]),
    Group::new(Destroy, "Layers", On::OwnLayers, &["lambda:DeleteLayerVersion"]).with(Kind::Derivative),
];
