//! The image of a project, run by a container engine as a task of ECS runs it: read-only, without privileges, and with the very
//! answers of `mdo dev`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flate2::read::GzDecoder;
use mdo_model::Sha256;
use mdo_model::hosted::{FrozenKey, FrozenStage};
use mdo_model::project::Secret;
use tempfile::TempDir;

use crate::support::http::{self, Response};
use crate::support::project::TestProject;

const KEY: &str = "a-key-of-twenty-characters-or-more";

/// A value that nobody but the function is to see.
const SECRET: &str = "hush-hush-hush";

/// The server program, static, as release builds bring it along.
pub(crate) fn server() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join("target/container");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "-p", "mdo-server", "--bin", "mdo-server", "--target-dir"]);
    cargo.arg(&target).args(["--", "-C", "target-feature=+crt-static", "-C", "relocation-model=static"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_"))
    {
        cargo.env_remove(name);
    }
    assert!(cargo.current_dir(root).status().unwrap().success(), "mdo-server could not be built");
    target.join("debug/mdo-server")
}

/// The image of the project as an archive that engines load, and what engines call it.
fn packed(project: &TestProject) -> (PathBuf, String) {
    let archive = project.path("shop.tar");
    let server = server().display().to_string();
    let file = archive.display().to_string();
    let image = project.mdo_with(&["image", "--json", "--server-program", &server, "-o", &file]).json();
    let name = format!("{}:{}", image["project"].as_str().unwrap(), image["tag"].as_str().unwrap());
    (archive, name)
}

/// What the stage adds: two classes, a secret and a key.
fn stage() -> String {
    let values = [("N_CLASSES", "2"), ("TOKEN", SECRET)];
    let values = values.map(|(name, value)| (name.to_owned(), Secret::new(value)));
    let key = FrozenKey { id: "abcdefghij".to_owned(), sha256: Sha256::of(KEY.as_bytes()) };
    let stage = FrozenStage {
        environment: BTreeMap::from([("sample_producer".parse().unwrap(), BTreeMap::from(values))]),
        keys: BTreeMap::from([("default".parse().unwrap(), key)]),
        ..FrozenStage::new("dev".parse().unwrap())
    };
    stage.to_json().unwrap().reveal().to_owned()
}

/// Podman with a storage of its own.
struct Podman {
    storage: TempDir,
}

impl Podman {
    /// If this machine has one that runs containers.
    #[expect(clippy::print_stderr, reason = "who reads the tests is told what they have not tried")]
    fn here() -> Option<Self> {
        let podman = Self { storage: tempfile::tempdir().unwrap() };
        let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if is_there("podman") && is_there("runc") {
            return Some(podman);
        }
        eprintln!(
            "skipping what needs podman and runc: this machine has not both; apt-get install podman runc"
        );
        None
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.arg("--root").arg(self.storage.path().join("root"));
        command.arg("--runroot").arg(self.storage.path().join("run"));
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
        command
    }

    /// The user's number of the program in the only container.
    fn user(&self) -> String {
        let ids = self.command().args(["ps", "--quiet"]).output().unwrap();
        let id = String::from_utf8(ids.stdout).unwrap();
        let pid = self.command().args(["inspect", "--format", "{{.State.Pid}}", id.trim()]).output().unwrap();
        let pid = String::from_utf8(pid.stdout).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
        let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    }

    fn load(&self, archive: &Path) {
        let output = self.command().arg("load").arg("--quiet").arg("--input").arg(archive).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs an image as ECS would: nothing can be written, not even to `/tmp`, and nothing is allowed.
    fn run(&self, name: &str) -> Container {
        let mut command = self.command();
        command.args(["run", "--rm", "--runtime", "runc", "--network", "host"]);
        command.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]);
        command.args(["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all"]);
        command.args(["--security-opt", "no-new-privileges", "--env", "MDO_STAGE"]);
        command.args(["--env", "MDO_LISTEN=127.0.0.1:0", "--pull", "never", name]).env("MDO_STAGE", stage());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut heard = String::new();
        let address = loop {
            let before = heard.len();
            assert_ne!(log.read_line(&mut heard).unwrap(), 0, "it does not serve: {heard}");
            if let Some((_, address)) = heard[before..].split_once("http://") {
                break address.trim_end().trim_end_matches(['"', '}']).parse().unwrap();
            }
        };
        Container { child, log: Box::new(log), heard, address }
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.command().args(["rm", "--all", "--force", "--time", "0"]).output();
    }
}

/// A container that serves.
struct Container {
    child: Child,
    log: Box<dyn Read>,
    heard: String,
    address: SocketAddr,
}

impl Container {
    fn get(&self, path: &str, key: Option<&str>) -> Response {
        let headers: Vec<_> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        http::request(self.address, "GET", path, &headers, b"").unwrap()
    }

    /// Stops it as ECS does, and answers its exit code and what it has said.
    fn stops(mut self) -> (Option<i32>, String) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        self.log.read_to_string(&mut self.heard).unwrap();
        (self.child.wait().unwrap().code(), self.heard)
    }
}

#[test]
fn a_container_answers_what_dev_answers_and_can_write_nothing() {
    let Some(podman) = Podman::here() else { return };
    let project = TestProject::local();
    project.mdo("init").succeeds();
    let serving = project.mdo("dev -s N_CLASSES=2 --port 0").serves();
    let here = serving.get("/sample_producer", Some(&project.key("default")));
    let refused_here = serving.get("/sample_producer", None);
    serving.signal("INT");
    serving.exits(0);
    assert_eq!(here.status(), 200, "{}", here.text());

    let (archive, name) = packed(&project);
    podman.load(&archive);
    let container = podman.run(&name);
    let there = container.get("/dev/sample_producer", Some(KEY));
    assert_eq!((there.status(), &there.body), (200, &here.body), "{}", there.text());
    assert_eq!(there.header("content-type"), here.header("content-type"));
    let refused_there = container.get("/dev/sample_producer", None);
    assert_eq!((refused_there.status(), refused_there.body), (refused_here.status(), refused_here.body));
    assert_eq!(podman.user(), "65532");
    let (code, log) = container.stops();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(SECRET) && !log.contains(KEY), "{log}");
    let held = contents(&archive);
    assert!(held.len() > 5, "{}", held.len());
    for secret in [SECRET, KEY] {
        let holds = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
        assert_eq!(held.iter().filter(|bytes| holds(bytes)).count(), 0);
    }
}

/// Every file of an archive, those that are compressed unpacked.
fn contents(archive: &Path) -> Vec<Vec<u8>> {
    let unpacked = tempfile::tempdir().unwrap();
    let tar = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(unpacked.path()).status();
    assert!(tar.unwrap().success());
    let files = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = files(unpacked.path().to_owned()).chain(files(unpacked.path().join("blobs/sha256")));
    let read = |path: PathBuf| {
        let bytes = fs::read(path).unwrap();
        let mut plain = Vec::new();
        match GzDecoder::new(&bytes[..]).read_to_end(&mut plain) {
            Ok(_) => plain,
            Err(_) => bytes,
        }
    };
    all.filter(|path| path.is_file()).map(read).collect()
}
