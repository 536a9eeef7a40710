//! The SDK's clients behind one `call`: paced, counted, retried when that is worth it, with errors that say the way out.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider as Tls, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use mdo_engine::{Cause, Error, Redactor, Signals};
use mdo_model::project::AccountId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::errors;
use crate::lambda::account_in;
use crate::pace::{Pace, jitter};

/// The environment variable that names a file of further certificates to trust, as for every AWS tool.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// How long a call may wait for AWS to stop throttling it.
const THROTTLED_FOR_AT_MOST: Duration = Duration::from_secs(90);

/// How long the answer to an invocation may take: what a function may run for at most, and a little more.
const RUNS_FOR_AT_MOST: Duration = Duration::from_secs(900 + 15);

/// How long any other answer may take: what takes longer is dead.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How many bytes a second a line takes at least, where a request is large.
const SLOWEST_LINE: u64 = 64 * 1024;

/// How often a call is made in all when there is no answer.
const SILENCES: u32 = 2;

/// After this long without an answer a word says what is being waited for.
const WORD_AFTER: Duration = Duration::from_secs(5);

/// How long what was begun may take to be finished once the user has interrupted.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How often a call is made in all when the network or the service fails.
const ATTEMPTS: u32 = 4;

/// Operations that make a new thing each time they are made: never repeated when it is unclear whether they arrived.
const NOT_REPEATABLE: [&str; 5] = [
    "apigateway:CreateApiKey",
    "apigateway:CreateDeployment",
    "apigateway:CreateUsagePlan",
    "apigateway:ImportRestApi",
    "lambda:Invoke",
];

/// Where to connect, and as whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectOptions {
    /// The region; `None` leaves it to the SDK's own chain.
    pub region: Option<String>,
    /// The profile; `None` leaves it to the SDK's own chain.
    pub profile: Option<String>,
    /// The only account that is allowed.
    pub account: Option<AccountId>,
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
    /// The region, `us-east-1` for instance.
    pub region: String,
    /// The partition of ARNs: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'static str,
    options: ConnectOptions,
    account: OnceLock<AccountId>,
    mentioned: OnceLock<AccountId>,
    /// What AWS's own words pass through.
    pub redactor: Redactor,
    pace: Pace,
    calls: Arc<AtomicUsize>,
    signals: Signals,
    /// When the user has interrupted, as far as anybody has noticed.
    interrupted: OnceLock<Instant>,
    /// When it was last said what is being waited for.
    notified: Mutex<Option<Instant>>,
    /// Cancelled once AWS has let us in.
    reached: CancellationToken,
}

impl Aws {
    /// Finds region and credentials by the SDK's own chain. Makes no call of its own.
    pub(crate) async fn connect(mut options: ConnectOptions, signals: Signals) -> Result<Self, Error> {
        let http = https_client()?;
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http.clone())
            .retry_config(RetryConfig::disabled())
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
        let Some(region) = region else {
            return Err(errors::no_region(options.profile.as_deref()).await);
        };
        let aws = Self::with_config(&config, region, options, signals);
        aws.redactor.permit(aws.region.as_str());
        Ok(aws)
    }

    fn with_config(config: &SdkConfig, region: String, options: ConnectOptions, signals: Signals) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        macro_rules! client {
            ($service:ident) => {
                $service::Client::from_conf(
                    $service::config::Builder::from(config).interceptor(Count(Arc::clone(&calls))).build(),
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
            partition: partition(&region),
            region,
            options,
            account: OnceLock::new(),
            mentioned: OnceLock::new(),
            redactor: Redactor::default(),
            pace: Pace::default(),
            calls,
            signals,
            interrupted: OnceLock::new(),
            notified: Mutex::default(),
            reached: CancellationToken::new(),
        }
    }

    /// Makes one call: paces it by its quotas, repeats it when AWS throttles it or the network fails, and says what its
    /// error means.
    ///
    /// `operation` is written `lambda:CreateFunction`; `on` names the resource for messages. `request` is called once for
    /// each attempt.
    pub(crate) async fn call<T, E, F, Fut>(
        &self,
        operation: &'static str,
        on: &str,
        request: F,
    ) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.send(operation, on, 0, request).await
    }

    /// As [`Aws::call`], for a request of so many bytes, which take their time on a slow line.
    pub(crate) async fn send<T, E, F, Fut>(
        &self,
        operation: &'static str,
        on: &str,
        bytes: u64,
        request: F,
    ) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let once = NOT_REPEATABLE.contains(&operation);
        let patience = patience(operation, bytes);
        let (mut failures, mut silences, mut give_up) = (0, 0, None);
        loop {
            self.take_turn(operation).await?;
            let sent = Instant::now();
            let Some(answer) = self.answer(operation, on, patience, request()).await else {
                silences += 1;
                if once || silences == SILENCES || self.signals.interrupt.is_cancelled() {
                    return Err(errors::silent(operation, on, patience, once));
                }
                continue;
            };
            let error = match answer {
                Ok(answer) => {
                    self.pace.succeeded(operation, Instant::now());
                    self.reached.cancel();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let now = Instant::now();
            let give_up = *give_up.get_or_insert(now + THROTTLED_FOR_AT_MOST);
            if errors::is_throttle(&error) && now < give_up {
                self.pace.throttled(operation, sent, now, errors::retry_after(&error));
                self.wait_out_throttle(operation, on).await?;
            } else if errors::is_transient(&error, once)
                && failures + 1 < ATTEMPTS
                && !self.signals.interrupt.is_cancelled()
            {
                failures += 1;
                self.pause(jitter(Duration::from_millis(50) * 2_u32.pow(failures))).await?;
            } else {
                let error = self.explain(operation, on, &error);
                if !error.cause.is_access() {
                    self.reached.cancel();
                }
                return Err(error);
            }
        }
    }

    /// Waits until the quotas have room for a call.
    async fn take_turn(&self, operation: &'static str) -> Result<(), Error> {
        let began = Instant::now();
        while let Some(again) = self.pace.take(operation, Instant::now()) {
            let left = self.pace.wait(operation, Instant::now());
            if began.elapsed() + left >= WORD_AFTER {
                let name = errors::name_of(operation);
                self.notify(format_args!("waiting for AWS's quota of {name}, {} s", left.as_secs().max(1)));
            }
            self.pause(again.saturating_duration_since(Instant::now())).await?;
        }
        Ok(())
    }

    /// The answer to a request; `None` when there is none in time. After some seconds it says what is being waited for.
    async fn answer<T>(
        &self,
        operation: &'static str,
        on: &str,
        patience: Duration,
        request: impl Future<Output = T>,
    ) -> Option<T> {
        let give_up = Instant::now() + patience;
        tokio::pin!(request);
        if let Ok(answer) = tokio::time::timeout(WORD_AFTER.min(patience), &mut request).await {
            return Some(answer);
        }
        self.notify(format_args!("waiting for AWS to answer: {}", errors::doing(operation, on)));
        tokio::time::timeout_at(give_up, request).await.ok()
    }

    /// Waits until a throttled call may be tried again. Who is interrupted does not try again.
    async fn wait_out_throttle(&self, operation: &'static str, on: &str) -> Result<(), Error> {
        let wait = self.pace.wait(operation, Instant::now()) + jitter(Duration::from_millis(20));
        if wait >= Duration::from_secs(1) {
            let (name, seconds) = (errors::name_of(operation), wait.as_secs_f64().round());
            self.notify(format_args!("AWS throttles {name}; trying again in {seconds} s"));
        }
        tokio::select! {
            biased;
            () = self.signals.interrupt.cancelled() => {
                let doing = errors::doing(operation, on);
                Err(Error::new(Cause::Interrupted, format!("{doing}: interrupted while AWS throttled it")))
            }
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Lets some time pass. Once the user has interrupted, only a few seconds more, to finish what was begun.
    ///
    /// # Errors
    /// [`Cause::Interrupted`] when that would not be enough.
    pub(crate) async fn pause(&self, pause: Duration) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.overdue() => Err(Error::new(Cause::Interrupted, "interrupted")),
        }
    }

    async fn overdue(&self) {
        self.signals.interrupt.cancelled().await;
        let since = *self.interrupted.get_or_init(Instant::now);
        tokio::time::sleep_until(since + FINISH_WITHIN).await;
    }

    /// Says what is being waited for, at most once in a while: many calls may wait for the same.
    fn notify(&self, what: fmt::Arguments<'_>) {
        let mut last = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= WORD_AFTER) {
            *last = Some(Instant::now());
            (self.signals.notify)(&what.to_string());
        }
    }

    /// Waits until AWS has answered a call, be it that what was asked for is not there.
    pub(crate) async fn reached(&self) {
        self.reached.cancelled().await;
    }

    fn explain<E>(&self, operation: &'static str, on: &str, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        // "Function not found: arn:…" names the account that has asked.
        let absent = (operation == "lambda:GetFunction").then(|| error.message()).flatten();
        if let Some(account) = absent.and_then(account_in) {
            self.mentioned.get_or_init(|| account);
        }
        let caller = errors::Caller {
            profile: self.options.profile.as_deref(),
            partition: self.partition,
            region: &self.region,
            redactor: &self.redactor,
        };
        errors::explain(operation, on, error, &caller)
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
        self.calls.load(Ordering::Relaxed)
    }

    /// An ARN in this account and region.
    pub(crate) fn arn(&self, service: &str, resource: impl fmt::Display) -> Result<String, Error> {
        let (partition, region, account) = (self.partition, &self.region, self.account()?);
        Ok(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
    }
}

/// How long the answer to a call may take that sends so many bytes.
fn patience(operation: &str, bytes: u64) -> Duration {
    match operation {
        "lambda:Invoke" => RUNS_FOR_AT_MOST,
        _ => ANSWERS_WITHIN + Duration::from_secs(bytes / SLOWEST_LINE),
    }
}

/// Refuses an endpoint that is no URL, on which the SDK would fail at the first call.
fn check_endpoint(url: Option<&str>) -> Result<(), Error> {
    let is_url = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    match url.filter(|url| !is_url(url)) {
        None => Ok(()),
        Some(url) => Err(Error::new(Cause::Invalid, format!("AWS_ENDPOINT_URL is `{url}`, which is no URL"))
            .with_help("give it one that begins with http:// or https://, or unset it to use AWS")),
    }
}

/// The partition that a region lies in.
fn partition(region: &str) -> &'static str {
    match region.split_once('-').map_or(region, |(geography, _)| geography) {
        "cn" => "aws-cn",
        "us" if region.starts_with("us-gov-") => "aws-us-gov",
        "us" if region.starts_with("us-isob-") => "aws-iso-b",
        "us" if region.starts_with("us-isof-") => "aws-iso-f",
        "us" if region.starts_with("us-iso-") => "aws-iso",
        "eu" if region.starts_with("eu-isoe-") => "aws-iso-e",
        "eusc" => "aws-eusc",
        _ => "aws",
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

/// One pool of connections for every service, over rustls and ring, through the proxy that the environment names.
fn https_client() -> Result<aws_smithy_runtime_api::client::http::SharedHttpClient, Error> {
    let mut trust = TrustStore::default().with_native_roots(true);
    if let Some(path) = std::env::var_os(CA_BUNDLE).filter(|path| !path.is_empty()) {
        let bundle = std::fs::read(&path).map_err(|error| {
            Error::new(
                Cause::Invalid,
                format!("read the certificates that {CA_BUNDLE} names, {}: {error}", path.to_string_lossy()),
            )
        })?;
        trust.add_pem_certificate(bundle);
    }
    let context = TlsContext::builder().with_trust_store(trust).build();
    let context = context.map_err(|error| Error::new(Cause::Other, format!("prepare TLS: {error}")))?;
    let connector = move |settings: Option<&HttpConnectorSettings>, parts: Option<&RuntimeComponents>| {
        let mut connector = Connector::builder()
            .tls_provider(Tls::Rustls(CryptoMode::Ring))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(parts.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    };
    Ok(aws_smithy_http_client::Builder::new().build_with_connector_fn(connector))
}

/// Counts every HTTP request of a client.
#[derive(Debug)]
struct Count(Arc<AtomicUsize>);

#[dyn_dispatch_hint]
impl Intercept for Count {
    fn name(&self) -> &'static str {
        "count"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), aws_smithy_runtime_api::box_error::BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_tells_its_partition_and_domain() {
        let of = |region| (partition(region), domain(partition(region)));
        assert_eq!(of("eu-central-1"), ("aws", "amazonaws.com"));
        assert_eq!(of("us-gov-west-1"), ("aws-us-gov", "amazonaws.com"));
        assert_eq!(of("cn-north-1"), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(of("us-isob-east-1"), ("aws-iso-b", "sc2s.sgov.gov"));
    }
}
