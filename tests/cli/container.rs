//! The image of a project, run by a container engine as a task of ECS runs it: read-only, without privileges, and with the very
//! answers of `mdo dev`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;
use mdo_model::Sha256;
use mdo_model::hosted::{FrozenKey, FrozenStage};
use mdo_model::project::Secret;

use crate::support::podman::{Podman, static_server};
use crate::support::project::TestProject;

const KEY: &str = "a-key-of-twenty-characters-or-more";

/// A value that nobody but the function is to see.
const SECRET: &str = "hush-hush-hush";

/// The image of the project as an archive that engines load, and what engines call it.
fn packed(project: &TestProject) -> (PathBuf, String) {
    let archive = project.path("shop.tar");
    let server = static_server().display().to_string();
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
    let container = podman.run(&name, &stage());
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
