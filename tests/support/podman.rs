//! A container engine with a storage of its own, and what it runs: an image as a task of ECS runs it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::http::{self, Response};
use super::project::TestProject;

/// The server program, static, as release builds bring it along.
pub fn static_server() -> PathBuf {
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

/// Podman with a storage of its own.
pub struct Podman {
    storage: TempDir,
}

impl Podman {
    /// If this machine has one that runs containers.
    #[expect(clippy::print_stderr, reason = "who reads the tests is told what they have not tried")]
    pub fn here() -> Option<Self> {
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

    /// Makes it the engine of a project's commands, with what it needs here.
    pub fn is_the_engine_of(&self, project: &TestProject) {
        let (root, run) = (self.storage.path().join("root"), self.storage.path().join("run"));
        let script = format!(
            "#!/bin/sh\nexec /usr/bin/env podman --root {} --runroot {} --storage-driver vfs --cgroup-manager cgroupfs \"$@\"\n",
            root.display(),
            run.display()
        );
        let program = self.storage.path().join("podman");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        project.set_variable("MDO_CONTAINER_ENGINE", program.display().to_string());
        let options = "--runtime runc --ulimit nofile=1024:1024 --ulimit nproc=4096:4096";
        project.set_variable("MDO_CONTAINER_OPTIONS", options);
    }

    /// The containers that there are.
    pub fn running(&self) -> String {
        let ids = self.command().args(["ps", "--all", "--quiet"]).output().unwrap();
        String::from_utf8(ids.stdout).unwrap()
    }

    /// The user's number of the program in the only container.
    pub fn user(&self) -> String {
        let ids = self.command().args(["ps", "--quiet"]).output().unwrap();
        let id = String::from_utf8(ids.stdout).unwrap();
        let pid = self.command().args(["inspect", "--format", "{{.State.Pid}}", id.trim()]).output().unwrap();
        let pid = String::from_utf8(pid.stdout).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
        let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Loads an archive.
    pub fn load(&self, archive: &Path) {
        let output = self.command().arg("load").arg("--quiet").arg("--input").arg(archive).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs an image as ECS would: nothing can be written, not even to `/tmp`, and nothing is allowed. `stage` is its `MDO_STAGE`.
    pub fn run(&self, name: &str, stage: &str) -> Container {
        let mut command = self.command();
        command.args(["run", "--rm", "--runtime", "runc", "--network", "host"]);
        command.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]);
        command.args(["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all"]);
        command.args(["--security-opt", "no-new-privileges", "--env", "MDO_STAGE"]);
        command.args(["--env", "MDO_LISTEN=127.0.0.1:0", "--pull", "never", name]).env("MDO_STAGE", stage);
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
pub struct Container {
    child: Child,
    log: Box<dyn Read>,
    heard: String,
    address: SocketAddr,
}

impl Container {
    /// Gets a path, with a key if there is one.
    pub fn get(&self, path: &str, key: Option<&str>) -> Response {
        let headers: Vec<_> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        http::request(self.address, "GET", path, &headers, b"").unwrap()
    }

    /// Stops it as ECS does, and answers its exit code and what it has said.
    pub fn stops(mut self) -> (Option<i32>, String) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        self.log.read_to_string(&mut self.heard).unwrap();
        (self.child.wait().unwrap().code(), self.heard)
    }
}
