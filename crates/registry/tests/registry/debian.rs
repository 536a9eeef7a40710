//! Against Debian's `docker-registry`: a registry that shares no code with us.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;

use mdo_model::project::Architecture;
use mdo_package::OwnFolder;
use mdo_package::image::{Base, Image, ImageStore, Parts, image};
use mdo_registry::Credentials;
use tempfile::TempDir;

use super::image::{Small, fetch, push, registry};

/// alice with the password open-sesame, as `htpasswd -B` writes it.
const USERS: &str = "alice:$2b$04$DaKl6pD79xFJ/om7br53/eVME9CDZm0ndo4BcxIyuk2ZzFDwv3T5u\n";

/// A registry on a port of the system's choice; it ends with the test.
struct Debian {
    child: Child,
    host: String,
    _storage: TempDir,
}

impl Debian {
    #[expect(clippy::print_stderr, reason = "who reads the tests is told what they have not tried")]
    fn start(closed: bool) -> Option<Self> {
        let storage = tempfile::tempdir().unwrap();
        let (place, users) = (storage.path().join("data"), storage.path().join("users"));
        fs::write(&users, USERS).unwrap();
        let closed = match closed {
            true => format!("auth: {{htpasswd: {{realm: shop, path: '{}'}}}}\n", users.display()),
            false => String::new(),
        };
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n{closed}",
            place.display()
        );
        let path = storage.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            eprintln!(
                "skipping what needs docker-registry: this machine has none; apt-get install docker-registry"
            );
            return None;
        };
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let host = log
            .by_ref()
            .find_map(|line| {
                let line = line.unwrap();
                let (_, rest) = line.split_once("listening on ")?;
                Some(rest.split('"').next()?.to_owned())
            })
            .unwrap();
        // Its log must not fill the pipe.
        std::thread::spawn(move || log.for_each(drop));
        Some(Self { child, host, _storage: storage })
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A static program of no instruction, as far as its headers tell.
fn program(home: &Path) -> PathBuf {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2u16, 62].map(u16::to_le_bytes).concat());
    elf.extend(1u32.to_le_bytes());
    elf.extend([0u64, 0, 0].map(u64::to_le_bytes).concat());
    elf.extend(0u32.to_le_bytes());
    elf.extend([64u16, 56, 0, 64, 0, 0].map(u16::to_le_bytes).concat());
    let path = home.join("mdo-server");
    fs::write(&path, elf).unwrap();
    path
}

fn made(home: &Path, stack: &str, base: Option<&Base>) -> Image {
    let parts = Parts {
        architecture: Architecture::X86_64,
        server: &program(home),
        functions: &[],
        derivatives: &[],
        stack: stack.as_bytes(),
        base,
        labels: &BTreeMap::new(),
        abandoned: &AtomicBool::new(false),
    };
    image(&parts, &store(home)).unwrap()
}

fn store(home: &Path) -> ImageStore {
    ImageStore::of(&OwnFolder::of(home))
}

#[tokio::test]
async fn an_image_goes_there_comes_back_and_becomes_the_base_of_the_next() {
    let Some(debian) = Debian::start(false) else { return };
    let registry = registry(&debian.host, Credentials::anonymous());
    let home = tempfile::tempdir().unwrap();
    let first = made(home.path(), "{}", None);
    let pushed = push(&registry, &first.outgoing()).await.unwrap();
    assert_eq!((pushed.digest, pushed.sent, pushed.there), (first.digest, 3, 0));

    let second = made(home.path(), r#"{"project":"shop"}"#, None);
    let pushed = push(&registry, &second.outgoing()).await.unwrap();
    assert_eq!((pushed.sent, pushed.there), (2, 1), "the server's layer is there");
    let again = push(&registry, &second.outgoing()).await.unwrap();
    assert_eq!((again.sent, again.bytes), (0, 0));

    let into = tempfile::tempdir().unwrap();
    let fetched = fetch(&registry, second.digest, &into).await.unwrap();
    let base = Base::read(&fetched.layout, Architecture::X86_64, &store(home.path())).unwrap();
    assert_eq!(base.digest, second.digest);
    let third = made(home.path(), "{}", Some(&base));
    let below: Vec<_> = third.layers[..2].iter().map(|layer| layer.digest).collect();
    assert_eq!(below, second.layers.iter().map(|layer| layer.digest).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_it_keeps_is_what_skopeo_sees() {
    let Some(debian) = Debian::start(false) else { return };
    let small = Small::new();
    push(&registry(&debian.host, Credentials::anonymous()), &small.outgoing).await.unwrap();
    let address = format!("docker://{}/team/shop:v1", debian.host);
    let seen = Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &address]).output();
    let Ok(seen) = seen else { return };
    assert_eq!(seen.stdout, small.outgoing.manifest, "{}", String::from_utf8_lossy(&seen.stderr));
}

#[tokio::test]
async fn a_login_opens_a_closed_one_and_a_wrong_one_does_not() {
    let Some(debian) = Debian::start(true) else { return };
    let small = Small::new();
    let alice = registry(&debian.host, Credentials::basic("alice", "open-sesame"));
    assert_eq!(push(&alice, &small.outgoing).await.unwrap().sent, 3);
    let into = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&alice, small.outgoing.digest, &into).await.unwrap().digest, small.outgoing.digest);
    for stranger in [Credentials::anonymous(), Credentials::basic("alice", "sesame")] {
        let error = push(&registry(&debian.host, stranger), &small.outgoing).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} does not let us read team/shop: 401 Unauthorized", debian.host)
        );
    }
}
