//! Builds the bootstrap of `sample_producer` for Linux, static, so that `mdo init` can write it where there is no Rust.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const FUNCTION: &str = "functions/sample_producer";

fn main() {
    for path in ["src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={FUNCTION}/{path}");
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    // The profile of the bootstrap is there.
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let bootstrap = if variable("CARGO_CFG_TARGET_OS") == "linux" && variable("HOST") == variable("TARGET") {
        build(&root)
    } else {
        none(&PathBuf::from(variable("OUT_DIR")))
    };
    println!("cargo::rustc-env=MDO_SAMPLE_BOOTSTRAP={}", bootstrap.display());
}

/// Builds with the very command of the function's own build hook, in its own target folder, so that neither waits for
/// the other's work twice.
fn build(root: &Path) -> PathBuf {
    let target = root.join("target").join("bootstrap");
    let run = |flags: &[&str]| {
        let mut cargo = Command::new(variable("CARGO"));
        cargo.args([
            "rustc",
            "--quiet",
            "--profile",
            "bootstrap",
            "-p",
            "sample_producer",
            "--bin",
            "bootstrap",
        ]);
        cargo.arg("--target-dir").arg(&target).arg("--").args(flags).current_dir(root);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if is_of_this_build(&name) {
                cargo.env_remove(name);
            }
        }
        cargo.status().is_ok_and(|status| status.success())
    };
    if !run(&["-C", "target-feature=+crt-static", "-C", "relocation-model=static"]) {
        println!(
            "cargo::warning=no static C library to link with (libc.a): the embedded sample_producer is dynamic"
        );
        assert!(run(&[]), "sample_producer could not be built: see above");
    }
    target.join("bootstrap").join("bootstrap")
}

/// A machine that is not Linux cannot link for Lambda without more tools; `mdo init` then says so.
fn none(folder: &Path) -> PathBuf {
    let path = folder.join("bootstrap");
    std::fs::write(&path, []).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    path
}

/// Whether a variable is about the build that runs this script, and would change or disturb the one that it starts.
fn is_of_this_build(name: &str) -> bool {
    const KEPT: [&str; 3] = ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES"];
    let cargo = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept));
    let rustc = name.starts_with("RUSTC") || name.starts_with("RUSTDOC") || name == "RUSTFLAGS";
    let script = ["HOST", "TARGET", "PROFILE", "OPT_LEVEL", "DEBUG", "NUM_JOBS", "OUT_DIR"].contains(&name);
    cargo || rustc || script || name == "MAKEFLAGS" || name == "MFLAGS"
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo did not set {name}"))
}
