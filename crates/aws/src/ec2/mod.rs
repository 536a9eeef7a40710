//! The few calls to EC2 that hosting needs, sent and signed by the SDK's own machinery. Its client of EC2 is 1.2 million lines of
//! code, for a form and some XML.

mod answers;

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
use aws_types::region::{Region, SigningRegion};
use aws_types::service_config::ServiceConfigKey;
use aws_types::{SdkConfig, SigningName};

use crate::client::{domain, partition};
use crate::watch::Watch;

pub(crate) use self::answers::{SecurityGroup, Subnet};

/// The version of EC2's interface.
const VERSION: &str = "2016-11-15";

/// What a call came to; an error is as from the SDK's clients.
pub(crate) type Answer<T> = Result<T, SdkError<ErrorMetadata, HttpResponse>>;

type Form = Vec<(Cow<'static, str>, String)>;

/// EC2 in one region.
#[derive(Debug)]
pub(crate) struct Ec2 {
    config: SdkConfig,
    region: String,
    watch: Watch,
    /// Made when it is first needed: most projects have no servers.
    operation: OnceLock<Operation<String, String, ErrorMetadata>>,
}

impl Ec2 {
    pub(crate) fn new(config: SdkConfig, region: String, watch: Watch) -> Self {
        Self { config, region, watch, operation: OnceLock::new() }
    }

    /// Whether the region has a default VPC.
    pub(crate) async fn has_default_vpc(&self) -> Answer<bool> {
        let form = vec![
            ("Filter.1.Name".into(), "is-default".to_owned()),
            ("Filter.1.Value.1".into(), "true".to_owned()),
        ];
        self.send("DescribeVpcs", form, answers::has_vpc).await
    }

    /// The subnets with these ids; without any, those that the default VPC has in each zone.
    pub(crate) async fn subnets<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Answer<Vec<Subnet>> {
        let mut form = numbered("SubnetId", ids);
        if form.is_empty() {
            form.push(("Filter.1.Name".into(), "default-for-az".to_owned()));
            form.push(("Filter.1.Value.1".into(), "true".to_owned()));
        }
        self.send("DescribeSubnets", form, answers::subnets).await
    }

    /// The security groups with these names, in whatever VPC.
    pub(crate) async fn security_groups<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Answer<Vec<SecurityGroup>> {
        let mut form = numbered("Filter.1.Value", names);
        form.push(("Filter.1.Name".into(), "group-name".to_owned()));
        self.send("DescribeSecurityGroups", form, answers::security_groups).await
    }

    /// Makes a security group with tags; answers its id.
    pub(crate) async fn create_security_group(
        &self,
        vpc: &str,
        name: &str,
        description: &str,
        tags: &[(&'static str, String)],
    ) -> Answer<String> {
        let mut form: Form = vec![
            ("VpcId".into(), vpc.to_owned()),
            ("GroupName".into(), name.to_owned()),
            ("GroupDescription".into(), description.to_owned()),
            ("TagSpecification.1.ResourceType".into(), "security-group".to_owned()),
        ];
        form.extend(tag_form("TagSpecification.1.Tag", tags));
        self.send("CreateSecurityGroup", form, answers::group_id).await
    }

    /// Lets in what `doors` say.
    pub(crate) async fn authorize_ingress(&self, group: &str, doors: &[Door]) -> Answer<()> {
        self.send("AuthorizeSecurityGroupIngress", ingress(group, doors), |_| Ok(())).await
    }

    /// Lets in no longer what `doors` say.
    pub(crate) async fn revoke_ingress(&self, group: &str, doors: &[Door]) -> Answer<()> {
        self.send("RevokeSecurityGroupIngress", ingress(group, doors), |_| Ok(())).await
    }

    /// Deletes a security group.
    pub(crate) async fn delete_security_group(&self, group: &str) -> Answer<()> {
        let form = vec![("GroupId".into(), group.to_owned())];
        self.send("DeleteSecurityGroup", form, |_| Ok(())).await
    }

    /// Gives tags to a resource.
    pub(crate) async fn tag(&self, id: &str, tags: &[(&'static str, String)]) -> Answer<()> {
        let mut form: Form = vec![("ResourceId.1".into(), id.to_owned())];
        form.extend(tag_form("Tag", tags));
        self.send("CreateTags", form, |_| Ok(())).await
    }

    /// Sends one call, and reads what it answers.
    pub(crate) async fn send<T>(
        &self,
        action: &'static str,
        parameters: Form,
        read: impl Fn(&str) -> Result<T, BoxError>,
    ) -> Answer<T> {
        let own = [("Action".into(), action.to_owned()), ("Version".into(), VERSION.to_owned())];
        let body = form_body(own.iter().chain(&parameters));
        let operation = self.operation.get_or_init(|| self.operation());
        let text = operation.invoke(body).await?;
        read(&text).map_err(SdkError::construction_failure)
    }

    fn operation(&self) -> Operation<String, String, ErrorMetadata> {
        let config = &self.config;
        let mut layer = Layer::new("mdo-ec2");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(self.region.clone()))),
            name: Some(SigningName::from_static("ec2")),
            ..SigV4OperationSigningConfig::default()
        });
        let mut components = RuntimeComponentsBuilder::new("mdo-ec2");
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
            .service_name("EC2")
            .operation_name("Query")
            .endpoint_url(&endpoint(config, &self.region))
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

/// What a security group lets in: TCP at one port, from addresses or from the members of another group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Door {
    /// First and last port; `None` stands for all.
    pub ports: Option<(u16, u16)>,
    /// `tcp`, or what EC2 calls it.
    pub protocol: String,
    pub from: Visitor,
}

/// Who comes in by a [`Door`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Visitor {
    /// Addresses, as a block of IPv4.
    Block(String),
    /// Addresses, as a block of IPv6.
    Block6(String),
    /// Members of the security group with this id.
    Group(String),
    /// Addresses of the prefix list with this id.
    List(String),
}

impl Door {
    /// TCP at one port.
    pub(crate) fn tcp(port: u16, from: Visitor) -> Self {
        Self { ports: Some((port, port)), protocol: "tcp".to_owned(), from }
    }
}

/// Where EC2 is: where the environment or the profile says, else the region's public endpoint.
fn endpoint(config: &SdkConfig, region: &str) -> String {
    let key =
        ServiceConfigKey::builder().service_id("EC2").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = key.ok().and_then(|key| config.service_config()?.load_config(key));
    if let Some(url) = own.or_else(|| config.endpoint_url().map(str::to_owned)) {
        return url;
    }
    let fips = if config.use_fips() == Some(true) { "-fips" } else { "" };
    match config.use_dual_stack() {
        Some(true) => format!("https://ec2{fips}.{region}.api.aws"),
        _ => format!("https://ec2{fips}.{region}.{}", domain(partition(region))),
    }
}

fn request(body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.try_insert("content-type", "application/x-www-form-urlencoded")?;
    headers.try_insert("user-agent", concat!("mdo/", env!("CARGO_PKG_VERSION")))?;
    Ok(request)
}

fn response(response: &HttpResponse) -> Result<String, OrchestratorError<ErrorMetadata>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    match response.status().is_success() {
        true => Ok(text.into_owned()),
        false => Err(OrchestratorError::operation(answers::refusal(&text))),
    }
}

fn numbered<'a>(name: &str, values: impl IntoIterator<Item = &'a String>) -> Form {
    let values = values.into_iter().zip(1..);
    values.map(|(value, number)| (format!("{name}.{number}").into(), value.clone())).collect()
}

fn tag_form(name: &str, tags: &[(&'static str, String)]) -> Form {
    let each = tags.iter().zip(1..).flat_map(|((key, value), number)| {
        [
            (format!("{name}.{number}.Key").into(), (*key).to_owned()),
            (format!("{name}.{number}.Value").into(), value.clone()),
        ]
    });
    each.collect()
}

fn ingress(group: &str, doors: &[Door]) -> Form {
    let mut form: Form = vec![("GroupId".into(), group.to_owned())];
    for (door, number) in doors.iter().zip(1..) {
        let mut put =
            |name: &str, value: String| form.push((format!("IpPermissions.{number}.{name}").into(), value));
        put("IpProtocol", door.protocol.clone());
        if let Some((first, last)) = door.ports {
            put("FromPort", first.to_string());
            put("ToPort", last.to_string());
        }
        match &door.from {
            Visitor::Block(block) => put("IpRanges.1.CidrIp", block.clone()),
            Visitor::Block6(block) => put("Ipv6Ranges.1.CidrIpv6", block.clone()),
            Visitor::Group(group) => put("Groups.1.GroupId", group.clone()),
            Visitor::List(list) => put("PrefixListIds.1.PrefixListId", list.clone()),
        }
    }
    form
}

fn form_body<'a>(parameters: impl Iterator<Item = &'a (Cow<'static, str>, String)>) -> String {
    let mut body = String::new();
    for (name, value) in parameters {
        if !body.is_empty() {
            body.push('&');
        }
        // The names that EC2 knows need no escaping.
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

    #[test]
    fn a_form_is_escaped() {
        let form: Form =
            vec![("Action".into(), "CreateTags".to_owned()), ("Tag.1.Key".into(), "mdo:a b&".to_owned())];
        assert_eq!(form_body(form.iter()), "Action=CreateTags&Tag.1.Key=mdo%3Aa%20b%26");
    }

    #[test]
    fn a_door_names_port_and_visitor() {
        let form = ingress("sg-1", &[Door::tcp(8080, Visitor::Group("sg-2".to_owned()))]);
        assert_eq!(
            form_body(form.iter()),
            "GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=8080&IpPermissions.1.ToPort=8080\
             &IpPermissions.1.Groups.1.GroupId=sg-2"
        );
    }

    #[test]
    fn each_region_has_its_endpoint() {
        let config = SdkConfig::builder().build();
        assert_eq!(endpoint(&config, "eu-west-1"), "https://ec2.eu-west-1.amazonaws.com");
        assert_eq!(endpoint(&config, "cn-north-1"), "https://ec2.cn-north-1.amazonaws.com.cn");
        let config = SdkConfig::builder().endpoint_url("http://127.0.0.1:4566").build();
        assert_eq!(endpoint(&config, "eu-west-1"), "http://127.0.0.1:4566");
    }
}
