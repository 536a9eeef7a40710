//! What IAM calls the permission for a call, and the path of API Gateway that it is needed on.

/// The permission that a call needs, as IAM writes it.
pub(crate) fn action(operation: &str) -> String {
    let (service, name) = operation.split_once(':').unwrap_or(("", operation));
    match (service, name) {
        // API Gateway has a permission for each HTTP method, and none for each operation.
        ("apigateway", name) => format!("apigateway:{}", method(name)),
        ("lambda", "Invoke") => "lambda:InvokeFunction".to_owned(),
        ("s3", "HeadObject") => "s3:GetObject".to_owned(),
        ("s3", "ListObjectsV2") => "s3:ListBucket".to_owned(),
        ("s3", "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload") => {
            "s3:PutObject".to_owned()
        }
        _ => operation.to_owned(),
    }
}

fn method(name: &str) -> &'static str {
    let starts = |prefix: &str| name.starts_with(prefix);
    match () {
        () if starts("Get") => "GET",
        () if starts("Update") => "PATCH",
        () if starts("Delete") || starts("Untag") => "DELETE",
        () if starts("Put") || starts("Tag") => "PUT",
        () => "POST",
    }
}

/// The path of a call to API Gateway in IAM's terms: ids are not known before, and stand as `*`.
pub(super) fn gateway_path(operation: &str) -> Option<&'static str> {
    Some(match operation.strip_prefix("apigateway:")? {
        "CreateDeployment" | "GetDeployments" => "/restapis/*/deployments",
        "CreateApiKey" | "GetApiKeys" => "/apikeys",
        "CreateUsagePlan" | "GetUsagePlans" => "/usageplans",
        "CreateUsagePlanKey" | "GetUsagePlanKeys" => "/usageplans/*/keys",
        "DeleteApiKey" | "UpdateApiKey" => "/apikeys/*",
        "DeleteDeployment" => "/restapis/*/deployments/*",
        "DeleteRestApi" | "GetRestApi" | "PutRestApi" | "UpdateRestApi" => "/restapis/*",
        "GetExport" => "/restapis/*/stages/*/exports/*",
        "DeleteStage" | "GetStage" | "UpdateStage" => "/restapis/*/stages/*",
        "GetStages" => "/restapis/*/stages",
        "DeleteUsagePlan" | "GetUsagePlan" | "UpdateUsagePlan" => "/usageplans/*",
        "GetUsage" => "/usageplans/*/usage",
        "GetRestApis" | "ImportRestApi" => "/restapis",
        "TagResource" | "UntagResource" => "/tags/*",
        _ => return None,
    })
}

/// The resource of a call to API Gateway as IAM writes it, for who has to write the policy.
pub(crate) fn gateway_resource(operation: &str, partition: &str, region: &str) -> Option<String> {
    gateway_path(operation).map(|path| format!("arn:{partition}:apigateway:{region}::{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_has_the_name_that_iam_knows() {
        for (operation, wanted) in [
            ("apigateway:GetRestApis", "apigateway:GET"),
            ("apigateway:ImportRestApi", "apigateway:POST"),
            ("apigateway:PutRestApi", "apigateway:PUT"),
            ("apigateway:TagResource", "apigateway:PUT"),
            ("apigateway:UpdateStage", "apigateway:PATCH"),
            ("apigateway:DeleteRestApi", "apigateway:DELETE"),
            ("lambda:Invoke", "lambda:InvokeFunction"),
            ("lambda:GetFunction", "lambda:GetFunction"),
            ("logs:ListTagsForResource", "logs:ListTagsForResource"),
            ("s3:HeadObject", "s3:GetObject"),
            ("s3:ListObjectsV2", "s3:ListBucket"),
            ("s3:CreateMultipartUpload", "s3:PutObject"),
            ("s3:AbortMultipartUpload", "s3:AbortMultipartUpload"),
        ] {
            assert_eq!(action(operation), wanted, "{operation}");
        }
    }

    #[test]
    fn a_resource_of_api_gateway_is_an_arn() {
        let of = |operation| gateway_resource(operation, "aws", "eu-west-1");
        assert_eq!(of("apigateway:GetRestApis").as_deref(), Some("arn:aws:apigateway:eu-west-1::/restapis"));
        let deployments = "arn:aws:apigateway:eu-west-1::/restapis/*/deployments";
        assert_eq!(of("apigateway:CreateDeployment").as_deref(), Some(deployments));
        assert_eq!(of("lambda:GetFunction"), None);
    }
}
