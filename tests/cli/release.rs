//! What a release is made with: its workflow, and the formula that is filled in from its checksums.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::workflow::Linters;

const TARGETS: [&str; 4] = [
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "aarch64-unknown-linux-musl",
    "x86_64-unknown-linux-musl",
];

fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn linters_approve_of_the_workflow() {
    let Some(linters) = Linters::shared() else { return };
    linters.approve(&ours(".github/workflows/release.yml"));
}

fn formula(sums: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("SHA256SUMS");
    fs::write(&file, sums).unwrap();
    let mut command = Command::new(ours("packaging/formula"));
    command.args(["1.2.3", "https://example.com/ours/mdo"]).arg(&file).output().unwrap()
}

#[test]
fn the_formula_has_the_checksum_of_each_archive_and_none_that_was_made_up() {
    let sum = |index: usize| format!("{index}").repeat(64);
    let mut sums = format!("{}  mdo_cli-1.2.3-py3-none-macosx_11_0_arm64.whl\n", sum(9));
    for (index, target) in TARGETS.iter().enumerate() {
        sums.push_str(&format!("{}  mdo-1.2.3-{target}.tar.gz\n", sum(index)));
    }
    let output = formula(&sums);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for (index, target) in TARGETS.iter().enumerate() {
        let release = "https://example.com/ours/mdo/releases/download/v1.2.3";
        let lines =
            format!("      url \"{release}/mdo-1.2.3-{target}.tar.gz\"\n      sha256 \"{}\"\n", sum(index));
        assert!(text.contains(&lines), "{text}");
    }
    assert!(text.starts_with("class Mdo < Formula\n") && !text.contains('@'), "{text}");

    let missing = sums.replace("mdo-1.2.3-x86_64-apple-darwin", "mdo-1.2.2-x86_64-apple-darwin");
    let output = formula(&missing);
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.starts_with("no checksum of mdo-1.2.3-x86_64-apple-darwin.tar.gz in "), "{complaint}");
}

#[test]
fn cargo_binstall_finds_the_program_where_a_release_has_it() {
    let manifest: toml::Table = fs::read_to_string(ours("Cargo.toml")).unwrap().parse().unwrap();
    let binstall = &manifest["package"]["metadata"]["binstall"];
    let filled = |key: &str| {
        let pairs = [("repo", "https://example.com/mdo"), ("version", "1.2.3"), ("target", TARGETS[0])];
        let known = [&pairs[..], &[("bin", "mdo"), ("binary-ext", "")]].concat();
        let text = binstall[key].as_str().unwrap().to_owned();
        known.iter().fold(text, |text, (name, value)| text.replace(&format!("{{ {name} }}"), value))
    };
    let name = format!("mdo-1.2.3-{}", TARGETS[0]);
    assert_eq!(filled("pkg-url"), format!("https://example.com/mdo/releases/download/v1.2.3/{name}.tar.gz"));
    assert_eq!(filled("bin-dir"), format!("{name}/mdo"));
    // What packaging/build calls them.
    let build = fs::read_to_string(ours("packaging/build")).unwrap();
    assert!(
        build.contains("name=\"mdo-${version#mdo }-$target\"") && build.contains("\"$dist/$name.tar.gz\"")
    );
}
