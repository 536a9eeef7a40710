//! A file at an `https://` address, and at those that it is redirected to.

use std::ops::ControlFlow;

use async_trait::async_trait;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::byte_stream::ByteStream;
use mdo_engine::{Cause, Error, Fetch, Take};
use mdo_model::project::HttpsAddress;
use url::Url;

use crate::client::{ANSWERS_WITHIN, connector};
use crate::error;

/// How often a server may send us elsewhere.
const MOST_REDIRECTS: usize = 5;

/// A file at an `https://` address.
pub struct HttpsFile {
    connector: Connector,
    address: String,
}

impl HttpsFile {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// When the certificates that the environment names cannot be read.
    pub fn new(address: HttpsAddress) -> Result<Self, Error> {
        Ok(Self { connector: connector()?, address: address.with_query().to_owned() })
    }

    /// A file where a service of the provider says that it is. Only on this machine may that be without encryption.
    ///
    /// # Errors
    /// When it is no such address, or the certificates that the environment names cannot be read.
    pub fn named_by_service(address: &str) -> Result<Self, Error> {
        let url = Url::parse(address).map_err(|error| no_address(&error))?;
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match url.scheme() {
            "https" => {}
            "http" if is_here => {}
            scheme => {
                let message =
                    format!("the service names an address of `{scheme}://`, which is not encrypted");
                return Err(Error::new(Cause::Invalid, message).with_help("check AWS_ENDPOINT_URL"));
            }
        }
        Ok(Self { connector: connector()?, address: address.to_owned() })
    }

    /// The answer that is no redirect, and the host that gave it.
    async fn answer(&self) -> Result<(HttpResponse, String), Error> {
        let mut url = Url::parse(&self.address).map_err(|error| no_address(&error))?;
        for _ in 0..=MOST_REDIRECTS {
            let host = host(&url);
            let request = request(&url).map_err(|error| no_address(&error))?;
            let answer = self.connector.call(request).await;
            let answer = answer.map_err(|error| error::no_answer(&error, &host))?;
            match answer.status().as_u16() {
                200 => return Ok((answer, host)),
                301 | 302 | 303 | 307 | 308 => url = target(&url, &host, &answer)?,
                status => return Err(error::refused(&host, status)),
            }
        }
        Err(Error::new(
            Cause::Invalid,
            format!("{} redirects again and again, more than {MOST_REDIRECTS} times", host(&url)),
        )
        .with_help("check the address"))
    }
}

#[async_trait]
impl Fetch for HttpsFile {
    async fn fetch(&self, take: &mut Take<'_>) -> Result<(), Error> {
        let (answer, host) = self.answer().await?;
        let size = answer.headers().get("content-length").and_then(|length| length.parse().ok());
        if take(&[], size).is_break() {
            return Ok(());
        }
        let mut body = ByteStream::new(answer.into_body());
        loop {
            let piece = tokio::time::timeout(ANSWERS_WITHIN, body.next()).await;
            let silent = || error::broken(&host, &format!("nothing came for {} s", ANSWERS_WITHIN.as_secs()));
            match piece.map_err(|_| silent())? {
                None => return Ok(()),
                Some(Err(error)) => return Err(error::broken(&host, &error.to_string())),
                Some(Ok(piece)) => {
                    if let ControlFlow::Break(()) = take(&piece, size) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

fn request(url: &Url) -> Result<HttpRequest, aws_smithy_runtime_api::http::HttpError> {
    let mut request = HttpRequest::get(url.as_str())?;
    request.headers_mut().insert("user-agent", concat!("mdo/", env!("CARGO_PKG_VERSION")));
    // The digest is that of the file, and not of a packed form of it.
    request.headers_mut().insert("accept-encoding", "identity");
    Ok(request)
}

/// Where a server sends us: nowhere that is not encrypted.
fn target(from: &Url, host: &str, answer: &HttpResponse) -> Result<Url, Error> {
    let location = answer.headers().get("location").unwrap_or_default();
    let target = from.join(location).map_err(|error| no_address(&error))?;
    match target.scheme() {
        "https" if target.host_str().is_some() => Ok(target),
        scheme => {
            let message = format!("{host} redirects to an address of `{scheme}://`, which is not encrypted");
            Err(Error::new(Cause::Invalid, message)
                .with_help("use the address of a server that stays with https"))
        }
    }
}

/// Host and port, as messages name them: the rest may hold a signature.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn no_address(error: &dyn std::error::Error) -> Error {
    Error::new(Cause::Invalid, format!("it is not an address: {error}")).with_help("check the address")
}
