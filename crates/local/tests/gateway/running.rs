//! A server with its stack, and what it says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mdo_local::{Activity, Observer, ServeOptions, Server};
use mdo_model::project::Security;
use tokio::sync::Notify;

use crate::connection::{Answer, send};
use crate::stack::Fixture;

pub(crate) struct Running {
    pub(crate) fixture: Fixture,
    pub(crate) server: Server,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    pub(crate) news: Arc<Notify>,
}

impl Running {
    pub(crate) async fn start(fixture: Fixture) -> Self {
        fixture.deploy().await;
        Self::serve(fixture).await
    }

    pub(crate) async fn serve(fixture: Fixture) -> Self {
        Self::serve_as(fixture, &[]).await
    }

    /// Serves what was applied, under some names too.
    pub(crate) async fn serve_as(fixture: Fixture, hosts: &[&str]) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let news = Arc::<Notify>::default();
        let observer: Observer = {
            let (lines, news) = (Arc::clone(&lines), Arc::clone(&news));
            Arc::new(move |event: Activity| {
                lines.lock().unwrap().push(event.to_string());
                news.notify_one();
            })
        };
        let listener = Server::bind(0).await.unwrap();
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let options = ServeOptions { hosts, ..ServeOptions::default() };
        let server = Server::serve(&fixture.provider(), listener, options, observer).await.unwrap();
        Self { fixture, server, lines, news }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        send(self.server.address(), method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) fn said(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until something was said a number of times.
    ///
    /// # Panics
    ///
    /// After two minutes, with what was said instead.
    pub(crate) async fn until(&self, times: usize, text: &str) {
        let said = async {
            while self.count(text) < times {
                self.news.notified().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(120), said).await.is_err() {
            panic!("not said {times} times: {text}\n{}", self.lines.lock().unwrap().join("\n"));
        }
    }
}

pub(crate) fn open() -> Fixture {
    Fixture::new().function("sample").route("ANY /open", "sample", Security::Open)
}

pub(crate) fn keyed() -> Fixture {
    Fixture::new().function("sample").route("GET /keyed", "sample", Security::Key)
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, error_type: &str, message: &str) {
    let blank = if [500, 502, 504].contains(&status) { " " } else { "" };
    assert_eq!(answer.text(), format!(r#"{{"message":{blank}"{message}"}}"#));
    assert_eq!(answer.status, status);
    assert_eq!(answer.header("x-amzn-errortype"), Some(error_type));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
    assert_eq!(answer.header("x-amz-apigw-id").map(str::len), Some(16));
}

/// A path that makes the function answer just this.
pub(crate) fn raw(answer: &str) -> String {
    let answer: String = answer.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/dev/open?do=raw&answer={answer}")
}

pub(crate) fn fifo(running: &Running, name: &str) -> std::path::PathBuf {
    let path = running.fixture.root.path().join(name);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}
