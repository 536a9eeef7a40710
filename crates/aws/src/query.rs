//! Calls of services that take a form and answer XML, or take JSON and answer it, sent and signed by the SDK's own machinery. mdo needs a
//! handful of them, and the SDK's clients of those services are heavy: EC2's is 1.2 million lines of code, CloudWatch's brings a dozen
//! crates along, and Systems Manager's and Secrets Manager's would be there for one call each.

use std::borrow::Cow;
use std::sync::OnceLock;

use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{self, SigV4AuthScheme};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use aws_types::region::{Region, SigningRegion};
use aws_types::service_config::ServiceConfigKey;
use aws_types::{SdkConfig, SigningName};
use mdo_model::project::partition;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::domain;
use crate::watch::Watch;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/x-amz-json-1.1";

/// What a call came to; an error is as from the SDK's clients.
pub(crate) type Answer<T> = Result<T, SdkError<ErrorMetadata, HttpResponse>>;

/// The parameters of a call.
pub(crate) type Form = Vec<(Cow<'static, str>, String)>;

/// A service that takes forms or JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// What the SDK calls it.
    pub(crate) id: &'static str,
    /// What its endpoints begin with.
    pub(crate) host: &'static str,
    /// What its calls are signed for.
    pub(crate) signing: &'static str,
    /// The version of its interface; of one that takes JSON, what its targets begin with.
    pub(crate) version: &'static str,
}

/// What is sent.
#[derive(Debug)]
struct Sent {
    body: String,
    content_type: &'static str,
    /// The operation, where the body does not name it.
    target: Option<String>,
}

/// A service in one region.
#[derive(Debug)]
pub(crate) struct Query {
    service: Service,
    config: SdkConfig,
    region: String,
    watch: Watch,
    /// Made when it is first needed: most commands need none.
    operation: OnceLock<Operation<Sent, String, ErrorMetadata>>,
}

impl Query {
    pub(crate) fn new(service: Service, config: SdkConfig, region: String, watch: Watch) -> Self {
        Self { service, config, region, watch, operation: OnceLock::new() }
    }

    /// Sends one call, and reads what it answers.
    pub(crate) async fn send<T>(
        &self,
        action: &'static str,
        parameters: Form,
        read: impl Fn(&str) -> Result<T, BoxError>,
    ) -> Answer<T> {
        let version = self.service.version.to_owned();
        let own = [("Action".into(), action.to_owned()), ("Version".into(), version)];
        let body = form_body(own.iter().chain(&parameters));
        let text = self.post(Sent { body, content_type: FORM, target: None }).await?;
        read(&text).map_err(SdkError::construction_failure)
    }

    /// Sends one call of a service that takes JSON, and reads what it answers. The version of such a service's interface is the name
    /// of its targets.
    pub(crate) async fn send_json<T: DeserializeOwned>(
        &self,
        action: &'static str,
        parameters: &Value,
    ) -> Answer<T> {
        let target = Some(format!("{}.{action}", self.service.version));
        let sent = Sent { body: parameters.to_string(), content_type: JSON, target };
        let text = self.post(sent).await?;
        // What cannot be read may hold a secret, which the error of the reader would quote.
        serde_json::from_str(&text).map_err(|_| SdkError::construction_failure("the answer cannot be read"))
    }

    async fn post(&self, sent: Sent) -> Answer<String> {
        self.operation.get_or_init(|| self.operation()).invoke(sent).await
    }

    fn operation(&self) -> Operation<Sent, String, ErrorMetadata> {
        let config = &self.config;
        let mut layer = Layer::new("mdo-query");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(self.region.clone()))),
            name: Some(SigningName::from_static(self.service.signing)),
            ..SigV4OperationSigningConfig::default()
        });
        let mut components = RuntimeComponentsBuilder::new("mdo-query");
        components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
            StaticAuthSchemeOptionResolver::new(vec![sigv4::SCHEME_ID]),
        )));
        components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
        if let Some(credentials) = config.credentials_provider() {
            components.set_identity_resolver(sigv4::SCHEME_ID, SharedIdentityResolver::new(credentials));
        }
        components.set_identity_cache(config.identity_cache());
        components.set_http_client(config.http_client());
        components.set_sleep_impl(config.sleep_impl());
        components.set_time_source(config.time_source());
        let plugin =
            StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components);
        let mut builder = Operation::builder()
            .service_name(self.service.id)
            .operation_name("Query")
            .endpoint_url(&endpoint(self.service, config, &self.region))
            .no_retry()
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .with_connection_poisoning()
            .interceptor(self.watch.clone());
        if let Some(version) = config.behavior_version() {
            builder = builder.behavior_version(version);
        }
        builder.runtime_plugin(plugin).serializer(request).deserializer(response).build()
    }
}

/// Where a service is: where the environment or the profile says, else the region's public endpoint.
fn endpoint(service: Service, config: &SdkConfig, region: &str) -> String {
    let Service { id, host, .. } = service;
    let key =
        ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = key.ok().and_then(|key| config.service_config()?.load_config(key));
    if let Some(url) = own.or_else(|| config.endpoint_url().map(str::to_owned)) {
        return url;
    }
    let fips = if config.use_fips() == Some(true) { "-fips" } else { "" };
    match config.use_dual_stack() {
        Some(true) => format!("https://{host}{fips}.{region}.api.aws"),
        _ => format!("https://{host}{fips}.{region}.{}", domain(partition(region))),
    }
}

fn request(sent: Sent) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(sent.body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.try_insert("content-type", sent.content_type)?;
    if let Some(target) = sent.target {
        headers.try_insert("x-amz-target", target)?;
    }
    headers.try_insert("user-agent", concat!("mdo/", env!("CARGO_PKG_VERSION")))?;
    Ok(request)
}

fn response(response: &HttpResponse) -> Result<String, OrchestratorError<ErrorMetadata>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    match response.status().is_success() {
        true => Ok(text.into_owned()),
        false => Err(OrchestratorError::operation(refusal(&text))),
    }
}

/// Why a service has refused a call.
fn refusal(text: &str) -> ErrorMetadata {
    json_refusal(text).unwrap_or_else(|| read_refusal(text).unwrap_or_default())
}

fn json_refusal(text: &str) -> Option<ErrorMetadata> {
    let document: Value = serde_json::from_str(text).ok()?;
    let code = document["__type"].as_str()?;
    let mut error = ErrorMetadata::builder().code(code.rsplit('#').next().unwrap_or(code));
    let message = document["message"].as_str().or_else(|| document["Message"].as_str());
    if let Some(message) = message {
        error = error.message(message);
    }
    Some(error.build())
}

/// EC2 has a list of errors where others have the one.
fn read_refusal(text: &str) -> Result<ErrorMetadata, XmlDecodeError> {
    let mut error = ErrorMetadata::builder();
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    while let Some(mut tag) = root.next_tag() {
        match local(&tag).as_str() {
            "Errors" => {
                while let Some(one) = tag.next_tag() {
                    error = read_error(one, error)?;
                }
            }
            "Error" => error = read_error(tag, error)?,
            "RequestID" | "RequestId" => error = error.custom("aws_request_id", data(&mut tag)?),
            _ => {}
        }
    }
    Ok(error.build())
}

fn read_error(
    mut one: ScopedDecoder<'_, '_>,
    mut error: aws_smithy_types::error::metadata::Builder,
) -> Result<aws_smithy_types::error::metadata::Builder, XmlDecodeError> {
    while let Some(mut part) = one.next_tag() {
        error = match local(&part).as_str() {
            "Code" => error.code(data(&mut part)?),
            "Message" => error.message(data(&mut part)?),
            _ => error,
        };
    }
    Ok(error)
}

/// The name of an element, without its prefix.
pub(crate) fn local(tag: &ScopedDecoder<'_, '_>) -> String {
    tag.start_el().local().to_owned()
}

/// The text of an element.
pub(crate) fn data(tag: &mut ScopedDecoder<'_, '_>) -> Result<String, XmlDecodeError> {
    try_data(tag).map(|text| text.trim().to_owned())
}

fn form_body<'a>(parameters: impl Iterator<Item = &'a (Cow<'static, str>, String)>) -> String {
    let mut body = String::new();
    for (name, value) in parameters {
        if !body.is_empty() {
            body.push('&');
        }
        // The names that services know need no escaping.
        body.push_str(name);
        body.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => body.push(byte.into()),
                _ => body.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC2: Service = Service { id: "EC2", host: "ec2", signing: "ec2", version: "1" };

    #[test]
    fn a_form_is_escaped() {
        let form: Form =
            vec![("Action".into(), "CreateTags".to_owned()), ("Tag.1.Key".into(), "mdo:a b&".to_owned())];
        assert_eq!(form_body(form.iter()), "Action=CreateTags&Tag.1.Key=mdo%3Aa%20b%26");
    }

    #[test]
    fn each_region_has_its_endpoint() {
        let config = SdkConfig::builder().build();
        assert_eq!(endpoint(EC2, &config, "eu-west-1"), "https://ec2.eu-west-1.amazonaws.com");
        assert_eq!(endpoint(EC2, &config, "cn-north-1"), "https://ec2.cn-north-1.amazonaws.com.cn");
        let config = SdkConfig::builder().endpoint_url("http://127.0.0.1:4566").build();
        assert_eq!(endpoint(EC2, &config, "eu-west-1"), "http://127.0.0.1:4566");
    }

    #[test]
    fn a_refusal_has_code_and_words() {
        for text in [
            "<?xml version=\"1.0\"?><Response><Errors><Error><Code>DependencyViolation</Code>\
             <Message>in use</Message></Error></Errors><RequestID>r-1</RequestID></Response>",
            "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>DependencyViolation</Code>\
             <Message>in use</Message></Error><RequestId>r-1</RequestId></ErrorResponse>",
        ] {
            let error = refusal(text);
            assert_eq!((error.code(), error.message()), (Some("DependencyViolation"), Some("in use")));
            assert_eq!(error.extra("aws_request_id"), Some("r-1"));
        }
        assert_eq!(refusal("<html>").code(), None);
        let text = r#"{"__type":"com.amazonaws.ssm#AccessDeniedException","Message":"no"}"#;
        let error = refusal(text);
        assert_eq!((error.code(), error.message()), (Some("AccessDeniedException"), Some("no")));
    }
}
