//! One HTTP client for every registry: HTTP/1.1 over rustls and ring, through the proxy that the environment names.

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::Error;
use crate::body::Sending;
use crate::patience::Patience;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

type Direct = legacy::Client<HttpsConnector<HttpConnector>, Sending>;
type Tunnelled = legacy::Client<HttpsConnector<Tunnel<HttpConnector>>, Sending>;

/// What requests to registries are sent with. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    direct: Direct,
    tls: ClientConfig,
    proxies: Arc<Matcher>,
    tunnels: Arc<Mutex<Vec<(Uri, Tunnelled)>>>,
    pub(crate) patience: Patience,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that trusts the system's certificates, and those of `more` in PEM.
    ///
    /// # Errors
    /// When the certificates in `more` cannot be read.
    pub fn new(more: Option<&[u8]>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        // What of the system's cannot be read cannot be trusted; the connection then says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in CertificateDer::pem_slice_iter(more.unwrap_or_default()) {
            let certificate = certificate.map_err(|error| Error::Tls(error.to_string()))?;
            roots.add(certificate).map_err(|error| Error::Tls(error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        Ok(Self {
            direct: builder().build(connector.wrap_connector(tcp())),
            tls,
            proxies: Arc::new(Matcher::from_env()),
            tunnels: Arc::default(),
            patience: Patience::default(),
        })
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Sends a request and waits for the head of its answer. `moved` counts what goes, so that a stall is noticed.
    pub(crate) async fn send(
        &self,
        request: Request<Sending>,
        moved: &AtomicU64,
    ) -> Result<Response<Incoming>, Error> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        // Only this machine is spoken to unencrypted, and no proxy stands before it.
        let is_encrypted = request.uri().scheme_str() == Some("https");
        let proxy = is_encrypted.then(|| self.proxies.intercept(request.uri())).flatten();
        let answer = async {
            match proxy {
                None => self.direct.request(request).await,
                Some(proxy) => self.tunnel(proxy.uri(), proxy.basic_auth()).request(request).await,
            }
        };
        let watched = watch(answer, moved, self.patience.stall).await;
        let answer = watched.ok_or_else(|| stalled(&host, self.patience.stall))?;
        answer.map_err(|error| unreachable(host, &error))
    }

    fn tunnel(&self, proxy: &Uri, login: Option<&hyper::header::HeaderValue>) -> Tunnelled {
        let mut tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tunnel)) = tunnels.iter().find(|(to, _)| to == proxy) {
            return tunnel.clone();
        }
        let mut tunnel = Tunnel::new(proxy.clone(), tcp());
        if let Some(login) = login {
            tunnel = tunnel.with_auth(login.clone());
        }
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(self.tls.clone()).https_only().enable_http1();
        let client: Tunnelled = builder().build(connector.wrap_connector(tunnel));
        tunnels.push((proxy.clone(), client.clone()));
        client
    }

    /// The next piece of an answer's body.
    pub(crate) async fn piece(&self, host: &str, body: &mut Incoming) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = tokio::time::timeout(self.patience.stall, body.frame()).await;
            match frame.map_err(|_| stalled(host, self.patience.stall))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(lost(host, &error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// A whole body of at most so many bytes; `None` if it is longer.
    pub(crate) async fn whole(
        &self,
        host: &str,
        body: &mut Incoming,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(host, body).await? {
            if whole.len() + piece.len() > most {
                return Ok(None);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Some(whole))
    }
}

fn builder() -> legacy::Builder {
    legacy::Client::builder(TokioExecutor::new())
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp
}

/// Waits as long as something moves; `None` if nothing has for so long.
async fn watch<T>(work: impl Future<Output = T>, moved: &AtomicU64, stall: Duration) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut before = moved.load(Ordering::Relaxed);
    loop {
        if let Ok(done) = tokio::time::timeout(stall, &mut work).await {
            return Some(done);
        }
        let now = moved.load(Ordering::Relaxed);
        if now == before {
            return None;
        }
        before = now;
    }
}

fn stalled(host: &str, stall: Duration) -> Error {
    let why = format!("nothing moved for {} s", stall.as_secs());
    Error::Unreachable { host: host.to_owned(), why, certificate: false }
}

fn lost(host: &str, error: &hyper::Error) -> Error {
    let why = format!("the connection was lost: {}", root(error));
    Error::Unreachable { host: host.to_owned(), why, certificate: false }
}

fn unreachable(host: String, error: &legacy::Error) -> Error {
    let mut certificate = false;
    let mut cause = error.source();
    while let Some(at) = cause {
        let inner = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = at.downcast_ref::<rustls::Error>().or(inner.and_then(|inner| inner.downcast_ref()));
        certificate |= matches!(tls, Some(rustls::Error::InvalidCertificate(_)));
        cause = at.source();
    }
    Error::Unreachable { host, why: root(error), certificate }
}

/// The innermost cause in words.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
