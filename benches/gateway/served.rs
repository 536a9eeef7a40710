//! The real `mdo dev`, in a project of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::Message;

/// A project that is served.
pub(crate) struct Served {
    folder: TempDir,
}

/// A running `mdo dev`. It ends with this.
pub(crate) struct Serving {
    server: Child,
    address: SocketAddr,
    key: String,
}

impl Served {
    /// What `mdo init` makes, with a usage plan that lets everything in.
    pub(crate) fn project() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self { folder };
        assert!(project.mdo(&["init", "--name", "bench"]).stdout(Stdio::null()).status().unwrap().success());
        let open = "name = \"bench\"\n[api]\nthrottle = false\nquota = false\n";
        fs::write(project.folder.path().join("project.toml"), open).unwrap();
        // What it says weighs more than function.json, which is what is edited.
        fs::remove_file(project.folder.path().join(".env")).unwrap();
        project.edit(2);
        project
    }

    fn mdo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdo"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn function(&self) -> PathBuf {
        self.folder.path().join("functions/sample_producer")
    }

    /// The bootstrap that is served.
    pub(crate) fn bootstrap(&self) -> PathBuf {
        self.function().join("bootstrap")
    }

    /// Has the function answer a sample of so many classes.
    pub(crate) fn edit(&self, classes: usize) {
        let file = self.function().join("function.json");
        let mut settings: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        settings["environment"]["N_CLASSES"] = classes.to_string().into();
        fs::write(file, settings.to_string()).unwrap();
    }

    /// Serves it. Its lines are read, as a terminal reads them.
    pub(crate) fn serve(&self, flags: &[&str]) -> Serving {
        let mut command = self.mdo(&["dev", "--port", "0"]);
        let mut server = command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let serving = lines.find(|line| line.starts_with("Serving http://")).unwrap();
        let address = serving.split('/').nth(2).unwrap().parse().unwrap();
        thread::spawn(move || lines.for_each(drop));
        let mut talk = server.stderr.take().unwrap();
        thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
        let key = self.mdo(&["key", "show", "--local"]).output().unwrap().stdout;
        Serving { server, address, key: String::from_utf8(key).unwrap().trim().to_owned() }
    }
}

impl Serving {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        BufReader::new(stream)
    }

    fn ask(&self, connection: &mut BufReader<TcpStream>) -> Vec<u8> {
        let (address, key) = (self.address, &self.key);
        let request =
            format!("GET /dev/sample_producer HTTP/1.1\r\nHost: {address}\r\nx-api-key: {key}\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes()).unwrap();
        let answer = Message::read_response(connection, "GET").unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.body
    }

    /// The guide's sample.
    pub(crate) fn sample(&self) -> Vec<u8> {
        self.ask(&mut self.connect())
    }

    /// How many classes there are in it.
    pub(crate) fn classes(&self) -> usize {
        let sample: Value = serde_json::from_slice(&self.sample()).unwrap();
        let classes: BTreeSet<i64> =
            sample["target"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
        classes.len()
    }

    /// How long requests take, one at a time.
    pub(crate) fn times(&self, count: usize) -> Vec<Duration> {
        let mut connection = self.connect();
        let times = (0..2 * count).map(|_| {
            let start = Instant::now();
            self.ask(&mut connection);
            start.elapsed()
        });
        // The first half is warming up.
        times.skip(count).collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}

/// The memory that a process has, in MB.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
}
