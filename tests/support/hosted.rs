//! A project with a stage that servers answer, in an account of its own on MiniStack, behind a proxy that counts its calls and that
//! has what MiniStack has not: autoscaling, and a registry that is found at an address of this machine.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};

use super::account::{Account, Emulated, REGION};
use super::autoscaling::Autoscaling;
use super::client::Client;
use super::ministack::Ministack;
use super::project::TestProject;
use super::proxy::{Fault, Proxy};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/localstack");

/// What project.toml says of a hosted stage, unless a test says something else.
pub const PLAIN: &str = "[server]\nhttp = true\ntasks = 2\n\n[stages.prod]\nhosting = \"server\"\n";

/// Where the program of the images is, seen from the project's folder.
const SERVER: &str = "../mdo-server";

/// A project with a hosted stage.
pub struct HostedProject {
    pub project: TestProject,
    pub proxy: Proxy,
    /// What the registry is reached through.
    pub registry: Proxy,
}

/// MiniStack, and an independent client of it.
struct Servers {
    server: &'static Ministack,
    client: Client,
    nobody: PathBuf,
}

impl Servers {
    /// Those of this test process; nothing where there is to be no emulator.
    fn shared() -> Option<&'static Servers> {
        static SHARED: OnceLock<Option<Servers>> = OnceLock::new();
        SHARED.get_or_init(|| Servers::start(Ministack::shared)).as_ref()
    }

    /// Those that ask IAM about every call.
    fn guarded() -> Option<&'static Servers> {
        static GUARDED: OnceLock<Option<Servers>> = OnceLock::new();
        GUARDED.get_or_init(|| Servers::start(Ministack::guarded)).as_ref()
    }

    fn start(of: fn(&Path, &Path) -> Option<&'static Ministack>) -> Option<Servers> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = Path::new(env!("CARGO_BIN_EXE_mdo")).ancestors().nth(2).unwrap();
        let server = of(root, target)?;
        let nobody = server.run().join("nobody");
        fs::create_dir_all(&nobody).unwrap();
        let client = Client::start(server.python(), Path::new(CLIENT)).unwrap();
        Some(Servers { server, client, nobody })
    }
}

/// An emulator whose CloudWatch has the metrics that are put there, percentiles among them; LocalStack's has none of those.
pub fn metrics_server() -> Option<SocketAddr> {
    Servers::shared().map(Emulated::address)
}

impl Emulated for Servers {
    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn has_servers(&self) -> bool {
        true
    }

    fn nobody(&self) -> &Path {
        &self.nobody
    }
}

impl HostedProject {
    /// The project `shop` with the function `echo` at the keyed route `GET /echo`, whose stage `prod` servers answer; nothing where
    /// there is to be no emulator.
    pub fn with_echo() -> Option<HostedProject> {
        Some(HostedProject::empty()?.and_echo())
    }

    /// The same on a server that asks IAM about every call.
    pub fn guarded_with_echo() -> Option<HostedProject> {
        Some(HostedProject::on(Servers::guarded()?).and_echo())
    }

    fn and_echo(self) -> HostedProject {
        let hosted = self;
        hosted.project.write("project.toml", &format!("name = \"shop\"\n\n{PLAIN}"));
        hosted.add_function("echo", json!({"routes": ["GET /echo"]}));
        hosted
    }

    /// An empty folder with an account.
    pub fn empty() -> Option<HostedProject> {
        Servers::shared().map(HostedProject::on)
    }

    fn on(servers: &'static Servers) -> HostedProject {
        let proxy = Proxy::start(servers.address(), Duration::ZERO);
        let account = Account::new(servers, servers.server.account()).at(proxy.url());
        let project = TestProject::empty(account);
        fs::write(project.path(SERVER), static_program()).unwrap();
        let registry = Proxy::start(servers.address(), Duration::ZERO);
        let hosted = HostedProject { project, proxy, registry };
        hosted.settle();
        hosted
    }

    /// Adds a function whose program an image without a base can run.
    pub fn add_function(&self, name: &str, settings: Value) {
        self.project.add_function(name, settings);
        self.set_edition(name, "first");
    }

    /// Gives a function other code.
    pub fn set_edition(&self, name: &str, edition: &str) {
        let program = [static_program().as_slice(), edition.as_bytes()].concat();
        fs::write(self.project.path(&format!("functions/{name}/bootstrap")), program).unwrap();
    }

    /// The same project in the same account behind a proxy that lets calls through in rounds, so that their depth is exact.
    pub fn in_rounds(&mut self) {
        self.proxy = Proxy::in_rounds(self.proxy.upstream());
        self.settle();
    }

    fn settle(&self) {
        self.project.set_variable("AWS_ENDPOINT_URL", self.proxy.url());
        let scaling = Mutex::new(Autoscaling::default());
        let answer = move |operation: &str, asked: &Value| scaling.lock().unwrap().answer(operation, asked);
        self.proxy.stand_in("application-autoscaling", answer);
        let listener = Fault::error(
            400,
            "DuplicateListener",
            "A listener already exists on this port for this load balancer",
        );
        self.proxy.refuse_twice("CreateListener", listener);
        let rule = Fault::error(400, "PriorityInUse", "Priority '1' is currently in use");
        self.proxy.refuse_twice("CreateRule", rule);
        // MiniStack writes down what a patch says as it came, as text.
        let as_bool = |key: &mut Value| {
            if let Some(text) = key["enabled"].as_str() {
                key["enabled"] = (text == "true").into();
            }
        };
        self.proxy.edit("UpdateApiKey", move |_, answer| as_bool(answer));
        self.proxy.edit("GetApiKeys", move |_, answer| {
            answer["item"].as_array_mut().into_iter().flatten().for_each(as_bool);
        });
        // The registry is where its proxy is; the emulator finds the account by its host.
        let elsewhere = format!("{}.dkr.ecr.{REGION}.amazonaws.com", self.project.account().id());
        let here = self.registry.url().replace("http://", "");
        self.registry.serve_registry_as(&elsewhere);
        let repository = {
            let (elsewhere, here) = (elsewhere.clone(), here.clone());
            move |found: &mut Value| {
                let uri = found["repositoryUri"].as_str().unwrap_or_default().replace(&elsewhere, &here);
                found["repositoryUri"] = uri.into();
            }
        };
        let one = repository.clone();
        self.proxy.edit("CreateRepository", move |_, answer| one(&mut answer["repository"]));
        self.proxy.edit("DescribeRepositories", move |_, answer| {
            answer["repositories"].as_array_mut().into_iter().flatten().for_each(&repository);
        });
        self.proxy.edit("GetAuthorizationToken", move |_, answer| {
            answer["authorizationData"][0]["proxyEndpoint"] = format!("http://{here}").into();
        });
    }

    /// A command on the hosted stage, with the server program where it makes an image.
    pub fn mdo(&self, arguments: &str) -> super::command::Mdo<'_> {
        let verb = arguments.split_whitespace().next().unwrap_or_default();
        let server = match verb {
            "plan" | "deploy" => format!(" --server-program {SERVER}"),
            _ => String::new(),
        };
        self.project.mdo(&format!("{arguments} --stage prod{server}"))
    }

    /// Makes it with another server program.
    pub fn use_server(&self, program: &Path) {
        fs::copy(program, self.project.path(SERVER)).unwrap();
    }

    /// The writes since the last time, as they came; those to the registry apart.
    pub fn writes(&self) -> Vec<String> {
        writes(&self.proxy)
    }

    /// The writes to the registry since the last time.
    pub fn pushed(&self) -> Vec<String> {
        writes(&self.registry)
    }
}

fn writes(proxy: &Proxy) -> Vec<String> {
    let recording = proxy.recording();
    proxy.forget();
    recording.writes().iter().map(|call| call.operation.name.clone()).collect()
}

/// A static program of no instruction, as far as its headers tell: what an image is made of need not run here.
fn static_program() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2u16, 62].map(u16::to_le_bytes).concat());
    elf.extend(1u32.to_le_bytes());
    elf.extend([0u64, 0, 0].map(u64::to_le_bytes).concat());
    elf.extend(0u32.to_le_bytes());
    elf.extend([64u16, 56, 0, 64, 0, 0].map(u16::to_le_bytes).concat());
    elf
}
