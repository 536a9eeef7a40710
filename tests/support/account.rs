//! An account of its own for each test: its credentials, an independent client of it, and calls to its APIs.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::client::Client;
use super::http::{self, Response};

/// The Region of every test.
pub const REGION: &str = "eu-west-1";

/// A server that holds accounts.
pub trait Emulated: Sync {
    /// Where the server listens.
    fn address(&self) -> SocketAddr;
    /// An independent client of it.
    fn client(&self) -> &Client;
    /// Whether it has what servers are made of.
    fn has_servers(&self) -> bool;
    /// An empty home folder for the processes under test.
    fn nobody(&self) -> &Path;
}

/// A twelve-digit account of an emulator, which takes such an access key as the account's id.
#[derive(Clone)]
pub struct Account {
    emulator: &'static dyn Emulated,
    id: String,
    /// What is reached instead of the emulator: a proxy that has more than it.
    endpoint: Option<String>,
}

impl Account {
    pub(super) fn new(emulator: &'static dyn Emulated, id: String) -> Account {
        Account { emulator, id, endpoint: None }
    }

    /// The same account at another endpoint, such as a proxy's.
    pub(super) fn at(self, endpoint: String) -> Account {
        Account { endpoint: Some(endpoint), ..self }
    }

    /// The account's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same account in other hands: those of a second pipeline, say.
    #[must_use]
    pub fn shared(&self) -> Account {
        self.clone()
    }

    /// Its endpoint, as `AWS_ENDPOINT_URL` takes it.
    fn url(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("http://{}", self.emulator.address()))
    }

    /// The emulator that holds the account.
    pub fn emulator(&self) -> &'static dyn Emulated {
        self.emulator
    }

    /// The environment of a process under test, to set after `env_clear`; the caller adds `PATH`.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment_through(&self.url())
    }

    /// The same, with the account's endpoint elsewhere: at a proxy.
    pub fn environment_through(&self, endpoint: &str) -> Vec<(&'static str, String)> {
        let nobody = self.emulator.nobody();
        let absent = |name: &str| nobody.join(".aws").join(name).display().to_string();
        vec![
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_ACCESS_KEY_ID", self.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", absent("config")),
            ("AWS_SHARED_CREDENTIALS_FILE", absent("credentials")),
            ("HOME", nobody.display().to_string()),
        ]
    }

    /// Calls AWS with boto3: `account.aws("lambda", "get_function", json!({"FunctionName": "f"}))`.
    ///
    /// In the parameters `{"$zip": {name: text}}`, `{"$file": path}` and `{"$base64": text}` stand for bytes.
    ///
    /// # Errors
    ///
    /// What boto3 raised, as `Kind: message`.
    pub fn aws(&self, service: &str, operation: &str, params: Value) -> Result<Value, String> {
        self.aws_through(&self.url(), service, operation, params)
    }

    /// The same through another endpoint, such as a proxy's.
    ///
    /// # Errors
    ///
    /// What boto3 raised, as `Kind: message`.
    pub fn aws_through(
        &self,
        endpoint: &str,
        service: &str,
        operation: &str,
        params: Value,
    ) -> Result<Value, String> {
        self.emulator.client().call(json!({
            "endpoint": endpoint,
            "region": REGION,
            "account": self.id,
            "service": service,
            "operation": operation,
            "params": params,
        }))
    }

    /// Gets a path of a deployed API: the status and the body.
    pub fn call_api(&self, api: &str, stage: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let answer = self.request_api("GET", api, stage, path, headers, b"");
        (answer.status(), answer.text())
    }

    /// Sends a request to a deployed API.
    pub fn request_api(
        &self,
        method: &str,
        api: &str,
        stage: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let path = format!("/_aws/execute-api/{api}/{stage}/{}", path.trim_start_matches('/'));
        http::request(self.emulator.address(), method, &path, headers, body).unwrap()
    }
}
