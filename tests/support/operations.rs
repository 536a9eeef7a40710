//! Names the AWS operation behind an HTTP request, for the services that mdo calls.

use super::http::Message;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The signing name of the service, from the credential scope: `lambda`, `apigateway`, `iam` …
    pub service: String,
    /// The operation, as AWS documents it, or `METHOD /path` where this module does not know it.
    pub name: String,
    /// The access key, which the emulator takes as the account's id.
    pub account: String,
}

impl Operation {
    /// Classifies a request by its `X-Amz-Target`, its `Action`, or its method and path.
    pub fn of(request: &Message) -> Operation {
        let (account, service) = credential(request).unwrap_or(("", "unknown"));
        let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
        if let Some(name) = path.strip_prefix("/v2/").and_then(|path| registry(request.method(), path)) {
            let (service, account) = (REGISTRY.to_owned(), String::new());
            return Operation { service, name: name.to_owned(), account };
        }
        let name = request
            .header("x-amz-target")
            .and_then(|target| target.rsplit('.').next())
            .map(str::to_owned)
            .or_else(|| path.strip_prefix("/service/")?.rsplit("/operation/").next().map(str::to_owned))
            .or_else(|| match service {
                "iam" | "sts" | "cloudformation" | "monitoring" | "ec2" | "elasticloadbalancing" => {
                    action(&request.text())
                }
                "s3" => Some(s3(request, path, query)),
                "lambda" | "apigateway" => rest(request.method(), path, query),
                _ => None,
            })
            .unwrap_or_else(|| format!("{} {path}", request.method()));
        Operation { service: service.to_owned(), name, account: account.to_owned() }
    }

    /// Whether the operation changes something; what is not known to read counts as a write.
    pub fn writes(&self) -> bool {
        let reads = ["Get", "List", "Describe", "Head", "Filter"];
        !reads.iter().any(|verb| self.name.starts_with(verb))
    }
}

/// What requests to a registry of images are counted under.
pub const REGISTRY: &str = "registry";

fn registry(method: &str, path: &str) -> Option<&'static str> {
    let is_about = |part: &str| path.contains(&format!("/{part}/"));
    Some(match method {
        "HEAD" if is_about("manifests") => "HeadManifest",
        "PUT" if is_about("manifests") => "PutManifest",
        "HEAD" if is_about("blobs") => "HeadBlob",
        "POST" if is_about("blobs") => "BeginUpload",
        "PUT" if is_about("blobs") => "PutBlob",
        "GET" if is_about("blobs") => "GetBlob",
        "GET" if is_about("manifests") => "GetManifest",
        _ => return None,
    })
}

fn credential(request: &Message) -> Option<(&str, &str)> {
    let scope = request.header("authorization")?.split("Credential=").nth(1)?;
    let mut parts = scope.split(',').next()?.trim().split('/');
    Some((parts.next()?, parts.nth(2)?))
}

fn action(form: &str) -> Option<String> {
    form.split('&').find_map(|pair| pair.strip_prefix("Action=")).map(str::to_owned)
}

fn s3(request: &Message, path: &str, query: &str) -> String {
    let has_key = path.trim_matches('/').contains('/');
    let copies = request.header("x-amz-copy-source").is_some();
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    match (request.method(), has_key) {
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) if asks("partNumber") => "UploadPart",
        ("PUT", true) if copies => "CopyObject",
        ("PUT", true) => "PutObject",
        ("DELETE", true) => "DeleteObject",
        ("POST", true) if asks("uploads") => "CreateMultipartUpload",
        ("POST", true) => "CompleteMultipartUpload",
        ("GET", false) if path == "/" => "ListBuckets",
        ("GET", false) if asks("location") => "GetBucketLocation",
        ("GET", false) => "ListObjectsV2",
        ("HEAD", false) => "HeadBucket",
        ("PUT", false) => "CreateBucket",
        ("DELETE", false) => "DeleteBucket",
        ("POST", false) => "DeleteObjects",
        (method, _) => return format!("{method} {path}"),
    }
    .to_owned()
}

fn rest(method: &str, path: &str, query: &str) -> Option<String> {
    let row = ROUTES.iter().find(|(verb, pattern, needs, _)| {
        *verb == method
            && matches(pattern, path)
            && (needs.is_empty() || query.split('&').any(|pair| pair == *needs))
    })?;
    Some(row.3.to_owned())
}

/// Compares by segment; `*` stands for one segment and a last `**` for the rest.
fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.trim_matches('/').split('/');
    for expected in pattern.split('/') {
        match (expected, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (expected, found) if Some(expected) == found => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Method, path, what the query must hold, operation. The first row that fits wins.
#[rustfmt::skip]
const ROUTES: &[(&str, &str, &str, &str)] = &[
    ("GET",    "2015-03-31/functions", "", "ListFunctions"),
    ("POST",   "2015-03-31/functions", "", "CreateFunction"),
    ("GET",    "2015-03-31/functions/*", "", "GetFunction"),
    ("DELETE", "2015-03-31/functions/*", "", "DeleteFunction"),
    ("GET",    "2015-03-31/functions/*/configuration", "", "GetFunctionConfiguration"),
    ("PUT",    "2015-03-31/functions/*/configuration", "", "UpdateFunctionConfiguration"),
    ("PUT",    "2015-03-31/functions/*/code", "", "UpdateFunctionCode"),
    ("POST",   "2015-03-31/functions/*/versions", "", "PublishVersion"),
    ("GET",    "2015-03-31/functions/*/versions", "", "ListVersionsByFunction"),
    ("POST",   "2015-03-31/functions/*/aliases", "", "CreateAlias"),
    ("GET",    "2015-03-31/functions/*/aliases", "", "ListAliases"),
    ("GET",    "2015-03-31/functions/*/aliases/*", "", "GetAlias"),
    ("PUT",    "2015-03-31/functions/*/aliases/*", "", "UpdateAlias"),
    ("DELETE", "2015-03-31/functions/*/aliases/*", "", "DeleteAlias"),
    ("POST",   "2015-03-31/functions/*/policy", "", "AddPermission"),
    ("GET",    "2015-03-31/functions/*/policy", "", "GetPolicy"),
    ("DELETE", "2015-03-31/functions/*/policy/*", "", "RemovePermission"),
    ("POST",   "2015-03-31/functions/*/invocations", "", "Invoke"),
    ("GET",    "2017-03-31/tags/**", "", "ListTags"),
    ("POST",   "2017-03-31/tags/**", "", "TagResource"),
    ("DELETE", "2017-03-31/tags/**", "", "UntagResource"),
    ("GET",    "2019-09-30/functions/*/concurrency", "", "GetFunctionConcurrency"),
    ("PUT",    "2017-10-31/functions/*/concurrency", "", "PutFunctionConcurrency"),
    ("DELETE", "2017-10-31/functions/*/concurrency", "", "DeleteFunctionConcurrency"),
    ("GET",    "2019-09-30/functions/*/provisioned-concurrency", "List=ALL", "ListProvisionedConcurrencyConfigs"),
    ("GET",    "2019-09-30/functions/*/provisioned-concurrency", "", "GetProvisionedConcurrencyConfig"),
    ("PUT",    "2019-09-30/functions/*/provisioned-concurrency", "", "PutProvisionedConcurrencyConfig"),
    ("DELETE", "2019-09-30/functions/*/provisioned-concurrency", "", "DeleteProvisionedConcurrencyConfig"),
    ("GET",    "2019-09-25/functions/*/event-invoke-config", "", "GetFunctionEventInvokeConfig"),
    ("PUT",    "2019-09-25/functions/*/event-invoke-config", "", "PutFunctionEventInvokeConfig"),
    ("DELETE", "2019-09-25/functions/*/event-invoke-config", "", "DeleteFunctionEventInvokeConfig"),
    ("GET",    "2018-10-31/layers", "", "ListLayers"),
    ("GET",    "2018-10-31/layers/*/versions", "", "ListLayerVersions"),
    ("POST",   "2018-10-31/layers/*/versions", "", "PublishLayerVersion"),
    ("DELETE", "2018-10-31/layers/*/versions/*", "", "DeleteLayerVersion"),
    ("GET",    "2016-08-19/account-settings", "", "GetAccountSettings"),
    ("GET",    "account", "", "GetAccount"),
    ("GET",    "restapis", "", "GetRestApis"),
    ("POST",   "restapis", "mode=import", "ImportRestApi"),
    ("POST",   "restapis", "", "CreateRestApi"),
    ("GET",    "restapis/*", "", "GetRestApi"),
    ("PUT",    "restapis/*", "", "PutRestApi"),
    ("PATCH",  "restapis/*", "", "UpdateRestApi"),
    ("DELETE", "restapis/*", "", "DeleteRestApi"),
    ("GET",    "restapis/*/resources", "", "GetResources"),
    ("GET",    "restapis/*/resources/*", "", "GetResource"),
    ("POST",   "restapis/*/resources/*", "", "CreateResource"),
    ("PATCH",  "restapis/*/resources/*", "", "UpdateResource"),
    ("DELETE", "restapis/*/resources/*", "", "DeleteResource"),
    ("GET",    "restapis/*/resources/*/methods/*", "", "GetMethod"),
    ("PUT",    "restapis/*/resources/*/methods/*", "", "PutMethod"),
    ("PATCH",  "restapis/*/resources/*/methods/*", "", "UpdateMethod"),
    ("DELETE", "restapis/*/resources/*/methods/*", "", "DeleteMethod"),
    ("GET",    "restapis/*/resources/*/methods/*/integration", "", "GetIntegration"),
    ("PUT",    "restapis/*/resources/*/methods/*/integration", "", "PutIntegration"),
    ("PATCH",  "restapis/*/resources/*/methods/*/integration", "", "UpdateIntegration"),
    ("DELETE", "restapis/*/resources/*/methods/*/integration", "", "DeleteIntegration"),
    ("GET",    "restapis/*/deployments", "", "GetDeployments"),
    ("POST",   "restapis/*/deployments", "", "CreateDeployment"),
    ("GET",    "restapis/*/deployments/*", "", "GetDeployment"),
    ("PATCH",  "restapis/*/deployments/*", "", "UpdateDeployment"),
    ("DELETE", "restapis/*/deployments/*", "", "DeleteDeployment"),
    ("GET",    "restapis/*/stages", "", "GetStages"),
    ("POST",   "restapis/*/stages", "", "CreateStage"),
    ("GET",    "restapis/*/stages/*", "", "GetStage"),
    ("PATCH",  "restapis/*/stages/*", "", "UpdateStage"),
    ("DELETE", "restapis/*/stages/*", "", "DeleteStage"),
    ("GET",    "restapis/*/stages/*/exports/*", "", "GetExport"),
    ("GET",    "restapis/*/gatewayresponses", "", "GetGatewayResponses"),
    ("GET",    "restapis/*/gatewayresponses/*", "", "GetGatewayResponse"),
    ("PUT",    "restapis/*/gatewayresponses/*", "", "PutGatewayResponse"),
    ("PATCH",  "restapis/*/gatewayresponses/*", "", "UpdateGatewayResponse"),
    ("DELETE", "restapis/*/gatewayresponses/*", "", "DeleteGatewayResponse"),
    ("GET",    "restapis/*/models", "", "GetModels"),
    ("GET",    "restapis/*/requestvalidators", "", "GetRequestValidators"),
    ("GET",    "restapis/*/authorizers", "", "GetAuthorizers"),
    ("GET",    "usageplans", "", "GetUsagePlans"),
    ("POST",   "usageplans", "", "CreateUsagePlan"),
    ("GET",    "usageplans/*", "", "GetUsagePlan"),
    ("PATCH",  "usageplans/*", "", "UpdateUsagePlan"),
    ("DELETE", "usageplans/*", "", "DeleteUsagePlan"),
    ("GET",    "usageplans/*/usage", "", "GetUsage"),
    ("GET",    "usageplans/*/keys", "", "GetUsagePlanKeys"),
    ("POST",   "usageplans/*/keys", "", "CreateUsagePlanKey"),
    ("GET",    "usageplans/*/keys/*", "", "GetUsagePlanKey"),
    ("DELETE", "usageplans/*/keys/*", "", "DeleteUsagePlanKey"),
    ("GET",    "apikeys", "", "GetApiKeys"),
    ("POST",   "apikeys", "mode=import", "ImportApiKeys"),
    ("POST",   "apikeys", "", "CreateApiKey"),
    ("GET",    "apikeys/*", "", "GetApiKey"),
    ("PATCH",  "apikeys/*", "", "UpdateApiKey"),
    ("DELETE", "apikeys/*", "", "DeleteApiKey"),
    ("GET",    "tags/**", "", "GetTags"),
    ("PUT",    "tags/**", "", "TagResource"),
    ("DELETE", "tags/**", "", "UntagResource"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn named(service: &str, line: &str, headers: &[(&str, &str)], body: &str) -> Operation {
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=111122223333/20261101/eu-west-1/{service}/aws4_request, x");
        let mut message =
            Message { start: format!("{line} HTTP/1.1"), body: body.into(), ..Message::default() };
        message.headers.push(("Authorization".to_owned(), scope));
        let more = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        message.headers.extend(more);
        Operation::of(&message)
    }

    #[test]
    fn a_rest_operation_is_known_by_its_method_and_path() {
        for (service, line, name) in [
            ("lambda", "POST /2015-03-31/functions", "CreateFunction"),
            ("lambda", "GET /2015-03-31/functions/", "ListFunctions"),
            ("lambda", "GET /2015-03-31/functions/f?Qualifier=dev", "GetFunction"),
            ("lambda", "PUT /2015-03-31/functions/f/code", "UpdateFunctionCode"),
            ("lambda", "PUT /2015-03-31/functions/f/aliases/dev", "UpdateAlias"),
            ("lambda", "DELETE /2015-03-31/functions/f/policy/mdo-api-dev?Qualifier=dev", "RemovePermission"),
            ("lambda", "POST /2017-03-31/tags/arn%3Aaws%3Alambda", "TagResource"),
            ("apigateway", "POST /restapis?mode=import&failonwarnings=true", "ImportRestApi"),
            ("apigateway", "PUT /restapis/a1?mode=overwrite", "PutRestApi"),
            ("apigateway", "GET /restapis/a1/resources?embed=methods", "GetResources"),
            ("apigateway", "GET /restapis/a1/stages/dev/exports/oas30", "GetExport"),
            ("apigateway", "POST /usageplans/p1/keys", "CreateUsagePlanKey"),
            ("apigateway", "PUT /tags/arn:aws:apigateway:eu-west-1::/restapis/a1", "TagResource"),
            ("apigateway", "GET /new/thing", "GET /new/thing"),
            ("s3", "PUT /bucket/folder/key", "PutObject"),
            ("s3", "HEAD /bucket", "HeadBucket"),
        ] {
            assert_eq!(named(service, line, &[], "").name, name, "{line}");
        }
    }

    #[test]
    fn a_target_header_or_an_action_names_the_operation() {
        let target = [("X-Amz-Target", "AWSEvents.PutRule")];
        assert_eq!(named("events", "POST /", &target, "{}").name, "PutRule");
        let operation = named("iam", "POST /", &[], "Action=CreateRole&RoleName=r&Version=2010-05-08");
        let (service, account) = ("iam".to_owned(), "111122223333".to_owned());
        assert_eq!(operation, Operation { service, name: "CreateRole".to_owned(), account });
    }

    #[test]
    fn only_what_is_known_to_read_is_no_write() {
        for (line, writes) in [
            ("GET /restapis", false),
            ("GET /new/thing", true),
            ("DELETE /restapis/a1", true),
            ("POST /2015-03-31/functions/f/invocations", true),
        ] {
            let service = if line.contains("2015") { "lambda" } else { "apigateway" };
            assert_eq!(named(service, line, &[], "").writes(), writes, "{line}");
        }
    }
}
