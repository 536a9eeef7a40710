//! The reference project at the root of the repository: built by its own hook, it answers the guide's sample.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::support::project::TestProject;
use crate::support::serving::Serving;

/// Removes the file that the hook makes, unless it was there before.
struct Made(Option<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// The reference project while it is served.
pub(crate) struct Reference {
    pub(crate) serving: Serving,
    pub(crate) project: TestProject,
    _made: Made,
}

/// Serves the reference project, which is built by its hook.
pub(crate) fn served() -> Reference {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bootstrap = repository.join("functions/sample_producer/bootstrap");
    let made = Made((!bootstrap.exists()).then_some(bootstrap));
    // The functions are those of the repository, so cargo finds what it built for mdo itself; the state is ours.
    let project = TestProject::local();
    fs::copy(repository.join("project.toml"), project.path("project.toml")).unwrap();
    symlink(repository.join("functions"), project.path("functions")).unwrap();
    let mut dev = project.mdo("dev -s N_CLASSES=2 --port 0").env("CARGO_NET_OFFLINE", "true");
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Ok(value) = std::env::var(name) {
            dev = dev.env(name, &value);
        }
    }
    Reference { serving: dev.serves(), project, _made: made }
}

#[test]
fn the_reference_project_is_built_by_its_hook_and_answers_the_guides_sample() {
    let Reference { serving, project, _made } = served();
    let sample = serving.get("/sample_producer", Some(&project.key("default")));
    assert_eq!(
        format!("{:x}", Sha256::digest(&sample.body)),
        "d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241"
    );
    serving.signal("INT");
    serving.exits(0);
}
