//! Connections over rustls and ring, through the proxy that the environment names, to whom its certificates vouch for.

use std::time::Duration;

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider as Tls, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use mdo_engine::{Cause, Error};

/// The environment variable that names a file of further certificates to trust, as for every AWS tool. Those of the system
/// are trusted as well, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` in their place.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// How long a connection may take to come about.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);

/// How long a server may take to begin an answer, and to go on with it.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// One pool of connections, as the clients of the AWS SDK take it.
///
/// # Errors
/// When the certificates that `AWS_CA_BUNDLE` names cannot be read.
pub fn client() -> Result<SharedHttpClient, Error> {
    let context = context()?;
    let connector = move |settings: Option<&HttpConnectorSettings>, parts: Option<&RuntimeComponents>| {
        built(context.clone(), settings.cloned(), parts.and_then(RuntimeComponents::sleep_impl))
    };
    Ok(aws_smithy_http_client::Builder::new().build_with_connector_fn(connector))
}

/// The same for a request of our own.
pub(crate) fn connector() -> Result<Connector, Error> {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECTS_WITHIN)
        .read_timeout(ANSWERS_WITHIN)
        .build();
    Ok(built(context()?, Some(settings), Some(SharedAsyncSleep::new(TokioSleep::new()))))
}

fn built(
    context: TlsContext,
    settings: Option<HttpConnectorSettings>,
    sleep: Option<SharedAsyncSleep>,
) -> Connector {
    let mut connector = Connector::builder()
        .tls_provider(Tls::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .proxy_config(ProxyConfig::from_env());
    connector.set_connector_settings(settings);
    connector.set_sleep_impl(sleep);
    connector.build()
}

/// Whom to trust.
fn context() -> Result<TlsContext, Error> {
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
    context.map_err(|error| Error::new(Cause::Other, format!("prepare TLS: {error}")))
}
