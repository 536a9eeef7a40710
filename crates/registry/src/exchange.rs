//! One request to a registry with everything that belongs to it: login or token, redirects, and what an answer means.
//!
//! Login and token go to the registry's own host alone. A redirect elsewhere never carries them.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;

use crate::authorization::{self, Challenge, Realm, Token};
use crate::body::Payload;
use crate::error::shown;
use crate::patience::Fault;
use crate::reference::is_loopback;
use crate::{Client, Credentials, Error, Repository};

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

/// The most bytes of an error or of a token.
const MOST_TEXT: usize = 256 * 1024;

/// Names us in the logs of a registry.
const AGENT: &str = concat!("mdo/", env!("CARGO_PKG_VERSION"));

/// The code that registries give for a tag that must not move.
const TAG_INVALID: &str = "TAG_INVALID";

/// A repository that is spoken to.
#[derive(Clone)]
pub struct Registry {
    pub(crate) client: Client,
    pub(crate) repository: Repository,
    credentials: Credentials,
    /// What the last challenge was answered with.
    authorization: Arc<Mutex<Option<HeaderValue>>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("repository", &self.repository).finish_non_exhaustive()
    }
}

/// A request.
#[derive(Clone)]
pub(crate) struct Call {
    pub method: Method,
    pub address: Uri,
    pub accept: Option<&'static str>,
    pub content_type: Option<String>,
    pub payload: Payload,
    /// What it is about, as in `has no {}`.
    pub what: String,
}

impl Call {
    pub(crate) fn new(method: Method, address: Uri, what: impl Into<String>) -> Self {
        let (accept, content_type, payload) = (None, None, Payload::Nothing);
        Self { method, address, accept, content_type, payload, what: what.into() }
    }

    pub(crate) fn carrying(self, payload: Payload, content_type: &str) -> Self {
        Self { payload, content_type: Some(content_type.to_owned()), ..self }
    }

    pub(crate) fn accepting(self, accept: &'static str) -> Self {
        Self { accept: Some(accept), ..self }
    }

    fn doing(&self) -> &'static str {
        if self.reads() { "read" } else { "write" }
    }

    fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// An answer of success, whose body is still to come.
pub(crate) struct Answer {
    pub response: Response<Incoming>,
    /// Where it came from in the end.
    pub address: Uri,
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Registry {
    /// The repository, spoken to with these credentials. Nothing is sent yet.
    pub fn new(client: &Client, repository: &Repository, credentials: Credentials) -> Self {
        let (client, repository) = (client.clone(), repository.clone());
        Self { client, repository, credentials, authorization: Arc::default() }
    }

    /// The address of something in the repository.
    pub(crate) fn address(&self, below: &str) -> Result<Uri, Error> {
        let address = format!("{}/v2/{}/{below}", self.repository.origin(), self.repository.path());
        address.parse().map_err(|_| self.malformed(format!("{address} is no address")))
    }

    /// Sends a request until it is let in, and answers whatever the status is then.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Fault> {
        let mut call = call.clone();
        let (mut redirects, mut asked) = (0, false);
        loop {
            let mut answer = self.once(&call).await?;
            let status = answer.response.status();
            if status == StatusCode::UNAUTHORIZED && self.is_own(&call.address) && !asked {
                asked = true;
                if let Some(value) = self.authorize(&answer).await? {
                    *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                    continue;
                }
            }
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED && call.reads() {
                redirects += 1;
                if redirects > MOST_REDIRECTS {
                    return Err(self.malformed("its redirects lead nowhere".to_owned()).into());
                }
                call.address = self.location(&answer, &call.address)?;
                continue;
            }
            if status.is_success() || (status == StatusCode::NOT_FOUND && call.method == Method::HEAD) {
                return Ok(answer);
            }
            return Err(self.refused(&call, &mut answer).await);
        }
    }

    /// Where an answer leads: an address that may be relative.
    pub(crate) fn location(&self, answer: &Answer, from: &Uri) -> Result<Uri, Error> {
        let text = answer.header(LOCATION.as_str());
        let text = text.ok_or_else(|| self.malformed("an answer has no Location".to_owned()))?;
        let text = text.split('#').next().unwrap_or_default();
        let origin = || {
            let (scheme, host) = (from.scheme_str().unwrap_or("https"), from.authority());
            format!("{scheme}://{}", host.map_or("", |host| host.as_str()))
        };
        let has_scheme = |text: &str| {
            let scheme = text.split_once("://").map(|(scheme, _)| scheme);
            scheme.is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        let whole = match text {
            _ if has_scheme(text) => text.to_owned(),
            _ if text.starts_with("//") => format!("{}:{text}", from.scheme_str().unwrap_or("https")),
            _ if text.starts_with('/') => format!("{}{text}", origin()),
            _ => {
                let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{}{folder}/{text}", origin())
            }
        };
        let address: Uri =
            whole.parse().map_err(|_| self.malformed("an answer has no valid Location".to_owned()))?;
        if !self.may_reach(&address) {
            return Err(self.malformed("an answer leads to an address without encryption".to_owned()));
        }
        Ok(address)
    }

    /// The body of an answer, of at most so many bytes.
    pub(crate) async fn whole(&self, answer: &mut Answer, most: usize) -> Result<Vec<u8>, Error> {
        let host = host_of(&answer.address);
        let whole = self.client.whole(&host, answer.response.body_mut(), most).await?;
        whole.ok_or_else(|| self.malformed(format!("an answer has more than {most} bytes")))
    }

    pub(crate) fn malformed(&self, why: String) -> Error {
        Error::Malformed { host: self.host(), why }
    }

    pub(crate) fn host(&self) -> String {
        self.repository.host().to_owned()
    }

    /// Whether an address is the registry's own.
    fn is_own(&self, address: &Uri) -> bool {
        let own = self.repository.origin().parse();
        own.is_ok_and(|own: Uri| place(&own) == place(address))
    }

    /// Whether an address that the registry has named may be gone to: an encrypted one, or one of this machine for a registry of
    /// this machine.
    fn may_reach(&self, address: &Uri) -> bool {
        match address.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(self.repository.serving_host()) && is_loopback(&host_of(address)),
            _ => false,
        }
    }

    async fn once(&self, call: &Call) -> Result<Answer, Error> {
        let moved = Arc::new(AtomicU64::new(0));
        let body = call.payload.open(&moved).await?;
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.address.clone())
            .header(USER_AGENT, AGENT);
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(content_type) = &call.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let authorization = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(value) = authorization.filter(|_| self.is_own(&call.address)) {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(body).map_err(|error| self.malformed(error.to_string()))?;
        let response = self.client.send(request, &moved).await?;
        Ok(Answer { response, address: call.address.clone() })
    }

    /// What a challenge is answered with, if we have an answer.
    async fn authorize(&self, answer: &Answer) -> Result<Option<HeaderValue>, Fault> {
        let value = match authorization::challenge(answer.response.headers()) {
            None => None,
            Some(Challenge::Basic) => self.credentials.header(),
            Some(Challenge::Bearer(realm)) => self.token(&realm).await?,
        };
        // A header that is marked so is shown by no log.
        Ok(value.and_then(|value| HeaderValue::try_from(value).ok()).map(|mut value| {
            value.set_sensitive(true);
            value
        }))
    }

    /// Asks the address that the registry has named for a token; the login goes there with the question.
    async fn token(&self, realm: &Realm) -> Result<Option<String>, Fault> {
        let address = realm.address();
        let address: Uri = address
            .parse()
            .ok()
            .filter(|address| self.may_reach(address))
            .ok_or_else(|| self.malformed("it names no valid address for tokens".to_owned()))?;
        let call = Call::new(Method::GET, address.clone(), "token");
        let body = Payload::Nothing.open(&Arc::default()).await?;
        let mut request = Request::builder().uri(address.clone()).header(USER_AGENT, AGENT);
        if let Some(mut value) = self.credentials.header().and_then(|value| HeaderValue::try_from(value).ok())
        {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(body).map_err(|error| self.malformed(error.to_string()))?;
        let response = self.client.send(request, &AtomicU64::new(0)).await?;
        let mut answer = Answer { response, address };
        if !answer.response.status().is_success() {
            return Err(self.refused(&call, &mut answer).await);
        }
        let text = self.whole(&mut answer, MOST_TEXT).await?;
        let token: Option<Token> = serde_json::from_slice(&text).ok();
        let header = token.and_then(Token::header);
        header.map(Some).ok_or_else(|| self.malformed("its token service gives no token".to_owned()).into())
    }

    /// What an answer without success means.
    async fn refused(&self, call: &Call, answer: &mut Answer) -> Fault {
        let status = answer.response.status();
        let after = answer.header(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
        let after = after.map(Duration::from_secs);
        let text = self.whole(answer, MOST_TEXT).await.unwrap_or_default();
        let error: Option<Said> =
            serde_json::from_slice::<Errors>(&text).ok().and_then(|text| text.errors.into_iter().next());
        let code = error.as_ref().map(|error| error.code.clone()).unwrap_or_default();
        let words = match error {
            Some(Said { code, message }) if message.is_empty() => shown(&code),
            Some(Said { code, message }) if code.is_empty() => shown(&message),
            Some(Said { code, message }) => shown(&format!("{code}: {message}")),
            None => String::new(),
        };
        let said = match words.as_str() {
            "" => status.to_string(),
            words => format!("{words} ({})", status.as_u16()),
        };
        let (host, repository) = (self.host(), self.repository.path().to_owned());
        let doing = call.doing();
        let error = match status.as_u16() {
            401 | 403 => Error::Denied { host, repository, doing, said },
            404 => Error::NotFound { host, what: call.what.clone(), said },
            429 | 500..=599 => Error::Busy { host, said },
            _ if code == TAG_INVALID || words.contains("immutable") => {
                let tag = call.address.path().rsplit('/').next().unwrap_or_default().to_owned();
                Error::TagTaken { host, repository, tag }
            }
            _ => Error::Refused { host, repository, doing, said },
        };
        Fault { error, after }
    }
}

/// Scheme, host and port of an address, the usual port included.
fn place(address: &Uri) -> (Option<&str>, Option<String>, Option<u16>) {
    let usual = match address.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    (address.scheme_str(), address.host().map(str::to_ascii_lowercase), address.port_u16().or(usual))
}

pub(crate) fn host_of(address: &Uri) -> String {
    address.authority().map(ToString::to_string).unwrap_or_default()
}

/// A text that is sent as it is.
pub(crate) fn text(bytes: &[u8]) -> Payload {
    Payload::Text(Bytes::copy_from_slice(bytes))
}
