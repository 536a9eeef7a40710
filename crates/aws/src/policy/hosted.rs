//! What IAM has to allow for stages that servers answer, beside what every stage needs: the second half of the table in
//! [`serverless`](super::serverless).

use mdo_model::stack::Kind;

use super::group::Part::{Deploy, Destroy, Look};
use super::group::{Group, On, Only, When};

pub(super) const GROUPS: &[Group] = &[
    // None of these can be narrowed.
    Group::new(
        Look,
        "Servers",
        On::Everything,
        &[
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "ecs:DescribeTaskDefinition",
            "ecs:ListTaskDefinitions",
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeLoadBalancerAttributes",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroupAttributes",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ],
    )
    .when(When::KnowsHosting),
    Group::new(Look, "Cluster", On::Cluster, &["ecs:DescribeClusters"]).when(When::KnowsHosting),
    Group::new(Look, "Services", On::Services, &["ecs:DescribeServices"]).when(When::KnowsHosting),
    Group::new(Look, "ServiceLists", On::Everything, &["ecs:ListServices"])
        .when(When::KnowsHosting)
        .only(Only::InCluster),
    Group::new(
        Look,
        "ServerRole",
        On::ServerRole,
        &["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
    )
    .when(When::KnowsHosting),
    Group::new(
        Look,
        "Repository",
        On::Repository,
        &["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"],
    )
    .when(When::KnowsHosting),
    // Why tasks do not come up is said by themselves and by the last lines of their logs.
    Group::new(Deploy, "TaskLists", On::Everything, &["ecs:ListTasks"])
        .with(Kind::Server)
        .only(Only::InCluster),
    Group::new(Deploy, "Tasks", On::Tasks, &["ecs:DescribeTasks"]).with(Kind::Server),
    Group::new(Deploy, "ServerLogs", On::ServerLogs, &["logs:GetLogEvents"]).with(Kind::Server),
    Group::new(
        Deploy,
        "ServerRole",
        On::ServerRole,
        &[
            "iam:CreateRole",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
        ],
    )
    .with(Kind::ServerRole),
    Group::new(Deploy, "PassTaskRole", On::PassedTaskRoles, &[])
        .with(Kind::Server)
        .beside(&["iam:PassRole"])
        .only(Only::PassedTo("ecs-tasks.amazonaws.com")),
    Group::new(Deploy, "RegistryLogin", On::Everything, &["ecr:GetAuthorizationToken"])
        .with(Kind::Repository),
    // The rest of it is asked of the registry: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html>
    Group::new(
        Deploy,
        "Repository",
        On::Repository,
        &[
            "ecr:CreateRepository",
            "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy",
            "ecr:TagResource",
            "ecr:UntagResource",
        ],
    )
    .with(Kind::Repository)
    .beside(&[
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ]),
    Group::new(
        Deploy,
        "LoadBalancing",
        On::LoadBalancing,
        &[
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            "elasticloadbalancing:ModifyRule",
            "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
            "elasticloadbalancing:RemoveTags",
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
        ],
    )
    .with(Kind::LoadBalancer),
    Group::new(
        Deploy,
        "Listeners",
        On::Listeners,
        &[
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateRule",
            "elasticloadbalancing:DeleteListener",
            "elasticloadbalancing:ModifyListener",
            "elasticloadbalancing:RemoveTags",
        ],
    )
    .with(Kind::LoadBalancer),
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html>
    Group::new(Deploy, "Networks", On::Everything, &[])
        .with(Kind::LoadBalancer)
        .beside(&["ec2:DescribeAccountAttributes", "ec2:DescribeInternetGateways"]),
    Group::new(Deploy, "NewSecurityGroups", On::Networks, &["ec2:CreateSecurityGroup"]).with(Kind::Server),
    Group::new(Deploy, "TagSecurityGroups", On::SecurityGroups, &["ec2:CreateTags"])
        .with(Kind::Server)
        .only(Only::WithNewGroup),
    Group::new(
        Deploy,
        "SecurityGroups",
        On::SecurityGroups,
        &["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
    )
    .with(Kind::Server)
    .only(Only::Tagged),
    Group::new(Deploy, "OwnSecurityGroups", On::SecurityGroups, &["ec2:CreateTags", "ec2:DeleteTags"])
        .with(Kind::Server)
        .only(Only::Tagged),
    // What is made with tags is tagged.
    Group::new(
        Deploy,
        "Cluster",
        On::Cluster,
        &["ecs:CreateCluster", "ecs:TagResource", "ecs:UntagResource"],
    )
    .with(Kind::Server),
    Group::new(
        Deploy,
        "Services",
        On::Services,
        &["ecs:CreateService", "ecs:TagResource", "ecs:UntagResource", "ecs:UpdateService"],
    )
    .with(Kind::Server),
    Group::new(
        Deploy,
        "TaskDefinitions",
        On::TaskDefinitions,
        &["ecs:RegisterTaskDefinition", "ecs:TagResource", "ecs:UntagResource"],
    )
    .with(Kind::Server),
    Group::new(Deploy, "OldTaskDefinitions", On::Everything, &["ecs:DeregisterTaskDefinition"])
        .with(Kind::Server),
    Group::new(
        Deploy,
        "Scaling",
        On::ScalableTargets,
        &[
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
        ],
    )
    .with(Kind::Server)
    .only(Only::Scaling),
    // <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/auto-scaling-IAM.html>
    Group::new(Deploy, "Alarms", On::Alarms, &[]).with(Kind::Server).beside(&[
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:PutMetricAlarm",
    ]),
    // The first of each in an account brings its role with it.
    Group::new(
        Deploy,
        "ServerLinkedRoles",
        On::LinkedRoles(&[
            "ecs.amazonaws.com",
            "ecs.application-autoscaling.amazonaws.com",
            "elasticloadbalancing.amazonaws.com",
        ]),
        &[],
    )
    .with(Kind::Server)
    .beside(&["iam:CreateServiceLinkedRole"]),
    Group::new(
        Destroy,
        "ServerRole",
        On::ServerRole,
        &["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
    )
    .with(Kind::ServerRole),
    Group::new(
        Destroy,
        "Repository",
        On::Repository,
        &["ecr:BatchDeleteImage", "ecr:DeleteRepository", "ecr:DescribeImages"],
    )
    .with(Kind::Repository),
    Group::new(
        Destroy,
        "LoadBalancing",
        On::LoadBalancing,
        &[
            "elasticloadbalancing:DeleteLoadBalancer",
            "elasticloadbalancing:DeleteRule",
            "elasticloadbalancing:DeleteTargetGroup",
        ],
    )
    .with(Kind::LoadBalancer),
    Group::new(Destroy, "SecurityGroups", On::SecurityGroups, &["ec2:DeleteSecurityGroup"])
        .with(Kind::Server)
        .only(Only::Tagged),
    Group::new(Destroy, "Cluster", On::Cluster, &["ecs:DeleteCluster"]).with(Kind::Server),
    Group::new(Destroy, "Services", On::Services, &["ecs:DeleteService", "ecs:UpdateService"])
        .with(Kind::Server),
    Group::new(Destroy, "TaskDefinitions", On::Everything, &["ecs:DeregisterTaskDefinition"])
        .with(Kind::Server),
    Group::new(
        Destroy,
        "Scaling",
        On::ScalableTargets,
        &["application-autoscaling:DeregisterScalableTarget"],
    )
    .with(Kind::Server)
    .only(Only::Scaling),
];
