//! A registry in memory that does what a test tells it before it does what is right.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mdo_model::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a request was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub method: String,
    /// With the query.
    pub path: String,
    pub authorization: Option<String>,
    pub length: Option<String>,
}

/// What a test makes it answer.
pub(crate) enum Reply {
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection ends after so many bytes of the request's body.
    Lost(usize),
}

type Rule = dyn Fn(&Seen) -> Option<Reply> + Send + Sync;

/// What it keeps.
#[derive(Default)]
pub(crate) struct Kept {
    pub blobs: BTreeMap<String, Bytes>,
    /// By digest and by tag.
    pub manifests: BTreeMap<String, Bytes>,
    pub seen: Vec<Seen>,
}

/// A registry; it ends with the test.
pub(crate) struct HandMade {
    /// Host and port.
    pub host: String,
    pub kept: Arc<Mutex<Kept>>,
    _tasks: JoinSet<()>,
}

impl HandMade {
    /// One that answers what is right, unless `rule` says something else.
    pub(crate) async fn start(rule: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let mut tasks = JoinSet::new();
        let (rule, keeps): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&kept));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (rule, kept) = (Arc::clone(&rule), Arc::clone(&keeps));
                let service =
                    service_fn(move |request| answer(request, Arc::clone(&rule), Arc::clone(&kept)));
                connections.spawn(async move {
                    // A connection that is lost is what some tests are about.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { host, kept, _tasks: tasks }
    }

    /// One that always does what is right.
    pub(crate) async fn sound() -> Self {
        Self::start(|_| None).await
    }

    /// `METHOD path` of what was asked, without the host's part of the way.
    pub(crate) fn seen(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap();
        kept.seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.kept.lock().unwrap().seen.clone()
    }
}

/// A status, and a registry's words.
pub(crate) fn says(status: u16, code: &str, message: &str) -> Option<Reply> {
    let text = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    Some(Reply::Answer(status, Vec::new(), text.to_string()))
}

async fn answer(
    request: Request<Incoming>,
    rule: Arc<Rule>,
    kept: Arc<Mutex<Kept>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path_and_query().unwrap().to_string(),
        authorization: header("authorization"),
        length: header("content-length"),
    };
    kept.lock().unwrap().seen.push(seen.clone());
    match rule(&seen) {
        Some(Reply::Answer(status, headers, text)) => {
            // What is refused is read nevertheless: the connection can be used again.
            let _ = request.into_body().collect().await;
            return Ok(build(status, headers, text.into()));
        }
        Some(Reply::Lost(most)) => {
            let (mut body, mut read) = (request.into_body(), 0);
            while read < most {
                match body.frame().await {
                    Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                    _ => break,
                }
            }
            return Err(std::io::Error::other("lost"));
        }
        None => {}
    }
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    Ok(right(&seen, body, &mut kept.lock().unwrap()))
}

/// What a sound registry answers.
fn right(seen: &Seen, body: Bytes, kept: &mut Kept) -> Response<Full<Bytes>> {
    let digest = |bytes: &[u8]| format!("sha256:{}", Sha256::of(bytes));
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let last = path.rsplit('/').next().unwrap();
    let found = |bytes: Option<&Bytes>| match bytes {
        None => build(404, Vec::new(), r#"{"errors":[{"code":"UNKNOWN","message":"unknown"}]}"#.into()),
        Some(bytes) => build(200, vec![("docker-content-digest", digest(bytes))], bytes.clone()),
    };
    match seen.method.as_str() {
        "GET" | "HEAD" if path.contains("/blobs/") => found(kept.blobs.get(last)),
        "GET" | "HEAD" => found(kept.manifests.get(last)),
        "POST" => build(202, vec![("location", format!("{path}an-upload?state=a%3Db"))], Bytes::new()),
        // ECR's way: 201, and all but the first piece is gone.
        "PATCH" => build(201, Vec::new(), Bytes::new()),
        "PUT" if path.contains("/manifests/") => {
            let digest = digest(&body);
            kept.manifests.insert(last.to_owned(), body.clone());
            kept.manifests.insert(digest.clone(), body);
            build(201, vec![("docker-content-digest", digest)], Bytes::new())
        }
        "PUT" if seen.length.is_none() => build(411, Vec::new(), Bytes::new()),
        "PUT" if !query.starts_with("state=a%3Db&digest=") => build(400, Vec::new(), Bytes::new()),
        "PUT" => {
            let named = query.rsplit_once('=').unwrap().1;
            if digest(&body) != named {
                let text =
                    r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}"#;
                return build(400, Vec::new(), text.into());
            }
            kept.blobs.insert(named.to_owned(), body);
            build(201, vec![("docker-content-digest", named.to_owned())], Bytes::new())
        }
        _ => build(405, Vec::new(), Bytes::new()),
    }
}

fn build(status: u16, headers: Vec<(&'static str, String)>, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(body)).unwrap()
}
