//! The SDK's clients as one region and one identity sees AWS: where to connect, as whom, and what is known of both.

use std::ffi::OsString;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_types::retry::RetryConfig;
use mdo_engine::{Cause, Error, Redactor, Signals};
use mdo_model::project::{AccountId, Settings, partition};

use crate::call::{ANSWERS_WITHIN, RUNS_FOR_AT_MOST, Waits};
use crate::cloudwatch::CloudWatch;
use crate::ec2::Ec2;
use crate::errors;
use crate::pace::Pace;
use crate::secrets::SecretStores;
use crate::watch::Watch;

/// Where to connect, and as whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectOptions {
    /// The region; `None` leaves it to the SDK's own chain.
    pub region: Option<String>,
    /// The profile; `None` leaves it to the SDK's own chain.
    pub profile: Option<String>,
    /// Whether credentials in the environment weigh more than the profile.
    pub profile_unless_env: bool,
    /// The only account that is allowed.
    pub account: Option<AccountId>,
}

impl ConnectOptions {
    /// As a project's settings have it.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            region: settings.region.clone(),
            profile: settings.profile.clone(),
            profile_unless_env: settings.profile_unless_env,
            account: settings.account.clone(),
        }
    }
}

/// Whether the environment holds credentials of its own: keys, or what a pipeline or a container gets them with.
fn has_credentials(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    [
        &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"][..],
        &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
        &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
        &["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
    ]
    .iter()
    .any(|names| names.iter().all(is_set))
}

/// AWS as one region and one identity sees it.
pub(crate) struct Aws {
    pub lambda: aws_sdk_lambda::Client,
    pub apigateway: aws_sdk_apigateway::Client,
    pub events: aws_sdk_cloudwatchevents::Client,
    pub iam: aws_sdk_iam::Client,
    pub s3: aws_sdk_s3::Client,
    pub sts: aws_sdk_sts::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub ecs: aws_sdk_ecs::Client,
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    pub scaling: aws_sdk_applicationautoscaling::Client,
    pub ec2: Ec2,
    pub cloudwatch: CloudWatch,
    pub secrets: SecretStores,
    /// The region, `us-east-1` for instance.
    pub region: String,
    /// The partition of ARNs: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'static str,
    pub(crate) options: ConnectOptions,
    account: OnceLock<AccountId>,
    pub(crate) mentioned: OnceLock<AccountId>,
    /// What AWS's own words pass through.
    pub redactor: Redactor,
    pub(crate) pace: Pace,
    pub(crate) watch: Watch,
    pub(crate) waits: Waits,
}

impl Aws {
    /// Finds region and credentials by the SDK's own chain. Makes no call of its own.
    pub(crate) async fn connect(mut options: ConnectOptions, signals: Signals) -> Result<Self, Error> {
        if options.profile_unless_env && has_credentials(|name| std::env::var_os(name)) {
            options.profile = None;
        }
        let names_profile = options.profile.is_some();
        let http = mdo_https::client()?;
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http.clone())
            .retry_config(RetryConfig::disabled())
            // The SDK gives an answer up that pauses for 5 s; a busy service, or a slow line, is not dead for that.
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(ANSWERS_WITHIN).build(),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .read_timeout(RUNS_FOR_AT_MOST)
                    .build(),
            );
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &options.profile {
            // What was asked for by name weighs more than keys that happen to be in the environment.
            let region = options.region.clone().or_else(|| std::env::var("AWS_REGION").ok()).map(Region::new);
            let own = ProviderConfig::without_region().with_region(region).with_http_client(http);
            let credentials =
                ProfileFileCredentialsProvider::builder().configure(&own).profile_name(profile).build();
            loader = loader.profile_name(profile).credentials_provider(credentials);
        }
        check_endpoint(std::env::var("AWS_ENDPOINT_URL").ok().as_deref())?;
        let config = loader.load().await;
        // From here on it is for messages only.
        options.profile = options.profile.or_else(|| std::env::var("AWS_PROFILE").ok());
        let region = config.region().map(ToString::to_string).filter(|region| !region.is_empty());
        let needs_files =
            names_profile || region.is_none() || !has_credentials(|name| std::env::var_os(name));
        if needs_files {
            errors::check_configuration(options.profile.as_deref()).await?;
        }
        let region = region.ok_or_else(errors::no_region)?;
        let aws = Self::with_config(&config, region, options, signals);
        aws.redactor.permit(aws.region.as_str());
        Ok(aws)
    }

    /// AWS without credentials, for tests of what happens before and after a call.
    #[cfg(test)]
    pub(crate) fn unconnected(signals: Signals) -> Self {
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        Self::with_config(&config, "eu-west-1".to_owned(), ConnectOptions::default(), signals)
    }

    fn with_config(config: &SdkConfig, region: String, options: ConnectOptions, signals: Signals) -> Self {
        let watch = Watch::default();
        macro_rules! client {
            ($service:ident) => {
                $service::Client::from_conf(
                    $service::config::Builder::from(config).interceptor(watch.clone()).build(),
                )
            };
        }
        Self {
            lambda: client!(aws_sdk_lambda),
            apigateway: client!(aws_sdk_apigateway),
            events: client!(aws_sdk_cloudwatchevents),
            iam: client!(aws_sdk_iam),
            s3: client!(aws_sdk_s3),
            sts: client!(aws_sdk_sts),
            logs: client!(aws_sdk_cloudwatchlogs),
            ecr: client!(aws_sdk_ecr),
            ecs: client!(aws_sdk_ecs),
            elb: client!(aws_sdk_elasticloadbalancingv2),
            scaling: client!(aws_sdk_applicationautoscaling),
            ec2: Ec2::new(config.clone(), region.clone(), watch.clone()),
            cloudwatch: CloudWatch::new(config.clone(), region.clone(), watch.clone()),
            secrets: SecretStores::new(config, &region, &watch),
            partition: partition(&region),
            region,
            options,
            account: OnceLock::new(),
            mentioned: OnceLock::new(),
            redactor: Redactor::default(),
            pace: Pace::default(),
            watch,
            waits: Waits::new(signals),
        }
    }

    /// The account that an ARN in an answer has named, even if all it said was that there is no such thing.
    pub(crate) fn mentioned_account(&self) -> Option<AccountId> {
        self.mentioned.get().cloned()
    }

    /// The account, once a first call has told it.
    pub(crate) fn account(&self) -> Result<&AccountId, Error> {
        self.account
            .get()
            .ok_or_else(|| Error::new(Cause::Other, "the account is not known before the stack is observed"))
    }

    /// Notes the account that AWS has named, and holds it against the one that the project is bound to.
    pub(crate) fn note_account(&self, account: AccountId) -> Result<(), Error> {
        if let Some(wanted) = self.options.account.as_ref().filter(|wanted| **wanted != account) {
            return Err(errors::wrong_account(wanted, &account, self.options.profile.as_deref()));
        }
        self.redactor.permit(account.as_str());
        self.account.get_or_init(|| account);
        Ok(())
    }

    /// Whether the project is bound to an account.
    pub(crate) fn is_bound(&self) -> bool {
        self.options.account.is_some()
    }

    /// Whether the account is known already.
    pub(crate) fn knows_account(&self) -> bool {
        self.account.get().is_some()
    }

    /// How many HTTP requests were sent so far.
    pub(crate) fn calls(&self) -> usize {
        self.watch.requests()
    }

    /// An ARN in this account and region.
    pub(crate) fn arn(&self, service: &str, resource: impl fmt::Display) -> Result<String, Error> {
        let (partition, region, account) = (self.partition, &self.region, self.account()?);
        Ok(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
    }
}

/// Refuses an endpoint that is no URL, on which the SDK would fail at the first call.
fn check_endpoint(url: Option<&str>) -> Result<(), Error> {
    let is_url = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    match url.filter(|url| !is_url(url)) {
        None => Ok(()),
        Some(url) => {
            Err(Error::new(Cause::Invalid, format!("AWS_ENDPOINT_URL is `{url}`, which is not a URL"))
                .with_help("give it one that begins with http:// or https://, or unset it to use AWS"))
        }
    }
}

/// The domain that a partition's public endpoints end in.
pub(crate) fn domain(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_the_environment_are_keys_or_what_a_pipeline_has() {
        let has = |set: &[&str]| has_credentials(|name| set.contains(&name).then(|| "x".into()));
        assert!(has(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]));
        assert!(has(&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"]));
        assert!(has(&["AWS_CONTAINER_CREDENTIALS_FULL_URI"]));
        assert!(!has(&["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN"]));
        assert!(!has_credentials(|_| Some("".into())));
    }

    #[test]
    fn a_region_tells_its_partition_and_domain() {
        let of = |region| (partition(region), domain(partition(region)));
        assert_eq!(of("eu-central-1"), ("aws", "amazonaws.com"));
        assert_eq!(of("us-gov-west-1"), ("aws-us-gov", "amazonaws.com"));
        assert_eq!(of("cn-north-1"), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(of("us-isob-east-1"), ("aws-iso-b", "sc2s.sgov.gov"));
    }
}
