//! Prebuilt zips from `https://` addresses: a server on this machine, over TLS, with a certificate that nobody knows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::{add_function, complained, mdo, on_an_empty_machine, without_digests};
use crate::support::command::Mdo;
use crate::support::project::TestProject;

/// A server of zips, and the project `shop` whose function has one of them.
struct Shelf {
    project: TestProject,
    server: Child,
    port: u16,
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Shelf {
    fn open() -> Shelf {
        let project = TestProject::local();
        project.write("project.toml", "name = \"shop\"\n");
        add_function(&project, "sample", &["colours"]);
        let home = project.home().to_owned();
        let at = |name: &str| home.join(name).display().to_string();
        let script = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z: z.writestr('python/colours.py', \
                      'VERSION = \"1.0\"\\n')";
        assert!(Command::new("python3").args(["-c", script, &at("tiny.zip")]).status().unwrap().success());
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=shelf", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &at("key.pem"), "-out", &at("cert.pem")])
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl, which makes the certificate of these tests").success());
        let mut server = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/derivatives/serve_tls.py"))
            .args([at("cert.pem"), at("key.pem"), at("tiny.zip"), at("asked")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Shelf { project, server, port }
    }

    /// Lets the derivative be the zip of this name.
    fn takes(&self, zip: &str) {
        let address = format!("https://127.0.0.1:{}/{zip}", self.port);
        let table = format!("name = \"shop\"\n\n[derivatives.colours]\nzip = \"{address}\"\n");
        self.project.write("project.toml", &table);
    }

    /// A command that trusts the server.
    fn mdo(&self, arguments: &str) -> Mdo<'_> {
        let certificate = self.project.home().join("cert.pem");
        mdo(&self.project, arguments).env("SSL_CERT_FILE", certificate.to_str().unwrap())
    }

    /// What was asked of the server.
    fn asked(&self) -> String {
        fs::read_to_string(self.project.home().join("asked")).unwrap_or_default()
    }

    /// Proves what a command complains of, with `HOST` for the server, and that nothing is left of a download.
    #[track_caller]
    fn refuses(&self, command: Mdo<'_>, code: i32, text: &str) {
        let output = command.exits(code);
        assert_eq!(output.stdout, "", "{}", output.transcript());
        let host = format!("127.0.0.1:{}", self.port);
        assert_eq!(complained(&output).replace(&host, "HOST"), text, "{}", output.transcript());
        assert_eq!(self.zips(), 0);
    }

    /// How many zips are kept, and halves of them.
    fn zips(&self) -> usize {
        let count = |path: &str| {
            fs::read_dir(self.project.path(path)).map_or(0, |entries| {
                let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
                names.filter(|name| name.starts_with(".build-") || name.ends_with(".zip")).count()
            })
        };
        count(".mdo/derivatives") + count(".mdo/derivatives/zips")
    }
}

#[test]
fn an_address_is_pinned_then_fetched_once_and_needs_no_network_afterwards() {
    let shelf = Shelf::open();
    shelf.takes("moved.zip?signature=secret");
    let unpinned = "error: derivative colours: https://HOST/moved.zip?… is from elsewhere and has no `sha256`
  --> project.toml:4:7
  help: mdo derivative pin colours
";
    shelf.refuses(shelf.mdo("plan --local"), 2, unpinned);
    shelf.refuses(shelf.mdo("derivative build"), 2, unpinned);
    shelf.mdo("derivative list").succeeds().says("is from elsewhere and has no `sha256`");
    assert_eq!(shelf.asked(), "");

    let pinned = shelf.mdo("derivative pin colours").succeeds();
    assert_eq!(without_digests(&pinned.stdout), "pinned colours to sha256 SHA256 in project.toml\n");
    assert!(!pinned.stderr.contains("secret"), "{}", pinned.stderr);
    assert_eq!(shelf.asked(), "/moved.zip?signature=secret\n/tiny.zip\n");
    shelf.mdo("derivative list").succeeds().says("pinned");

    // From here on the zip is on this machine, for other runtimes and settings too.
    let project = &shelf.project;
    on_an_empty_machine(project, "derivative list").succeeds();
    shelf.mdo("plan --local").exits(0);
    project.write("project.toml", &format!("{}exclude = [\"*.txt\"]\n", project.read("project.toml")));
    shelf.mdo("derivative build").exits(0).says("imported colours");
    assert_eq!(shelf.asked().lines().count(), 2);

    // What was kept is looked at before it is used, and fetched again where it is damaged.
    let zips = project.path(".mdo/derivatives/zips");
    let zip = fs::read_dir(&zips).unwrap().next().unwrap().unwrap().path();
    fs::write(&zip, "damaged").unwrap();
    project.write("project.toml", &project.read("project.toml").replace("*.txt", "*.md"));
    shelf.mdo("derivative build").exits(0);
    assert_eq!(shelf.asked().lines().count(), 4);
    assert_eq!(shelf.zips(), 1);
}

#[test]
fn another_zip_than_the_pinned_one_is_refused_with_both_digests() {
    let shelf = Shelf::open();
    shelf.takes("tiny.zip");
    let pinned = format!("{}sha256 = \"{}\"\n", shelf.project.read("project.toml"), "0".repeat(64));
    shelf.project.write("project.toml", &pinned);
    shelf.refuses(
        shelf.mdo("plan --local"),
        2,
        "error: derivative colours: the sha256 of https://HOST/tiny.zip is SHA256, project.toml says SHA256
  help: if you trust the new one: mdo derivative pin colours
",
    );
    assert_eq!(shelf.project.read("project.toml"), pinned);
}

#[test]
fn what_a_server_answers_instead_of_a_zip_is_told() {
    let shelf = Shelf::open();
    let before = "error: derivative colours: cannot fetch https://HOST/";
    for (zip, code, text) in [
        ("gone.zip", 1, "HOST does not have it (HTTP 404)\n  help: check the address\n"),
        (
            "private.zip",
            4,
            "HOST does not hand it out (HTTP 403)\n  help: mdo sends no credentials to an https address: use one that \
             needs none, or put the zip in a bucket (`s3://bucket/key`)\n",
        ),
        (
            "down.zip",
            2,
            "HOST redirects to an address of `http://`, which is not encrypted\n  help: use the address of a server \
             that stays with https\n",
        ),
        ("circle.zip", 2, "HOST redirects again and again, more than 5 times\n  help: check the address\n"),
    ] {
        shelf.takes(zip);
        shelf.refuses(shelf.mdo("derivative pin colours"), code, &format!("{before}{zip}: {text}"));
    }
    shelf.takes("huge.zip");
    shelf.refuses(
        shelf.mdo("derivative pin colours"),
        2,
        "error: derivative colours: https://HOST/huge.zip is larger than _ MB, the most that Lambda takes unzipped
  help: leave out what no function needs, and put it there again
",
    );
    shelf.takes("half.zip");
    let half = shelf.mdo("derivative pin colours").exits(4);
    half.says("help: run the command again; nothing of the file was kept");
    assert_eq!(shelf.zips(), 0);
}

#[test]
fn what_is_no_zip_is_not_pinned() {
    let shelf = Shelf::open();
    shelf.takes("page.zip");
    let output = shelf.mdo("derivative pin colours").exits(2);
    output.says("/page.zip").says("help: make the zip again, or fetch it again");
    assert!(!shelf.project.read("project.toml").contains("sha256"));
}

#[test]
fn a_server_that_cannot_be_trusted_or_reached_is_told() {
    let shelf = Shelf::open();
    shelf.takes("tiny.zip");
    let output = mdo(&shelf.project, "derivative pin colours").exits(4);
    output.says("cannot be trusted: ").says("name its file in SSL_CERT_FILE");
    assert_eq!(shelf.asked(), "");

    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let text = shelf.project.read("project.toml").replace(&shelf.port.to_string(), &port.to_string());
    shelf.project.write("project.toml", &text);
    let output = shelf.mdo("derivative pin colours").exits(4);
    output.says(&format!("127.0.0.1:{port} refuses the connection\n  help: check the network, the proxy"));
}
