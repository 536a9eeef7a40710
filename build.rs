//! Builds what mdo carries for Linux, static: the bootstrap of `sample_producer`, so that `mdo init` can write it where there is no
//! Rust, and in release builds the server program, which container images run.

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
    let nothing = none(&PathBuf::from(variable("OUT_DIR")));
    let is_native = is_of_this_kind(&variable("HOST"), &variable("TARGET"));
    // With the very command of the function's own build hook, in its own target folder, so that neither waits for the other's
    // work twice.
    let bootstrap = match is_native {
        true => {
            build(&root, &Program { package: "sample_producer", name: "bootstrap", profile: "bootstrap" })
        }
        false => nothing.clone(),
    };
    println!("cargo::rustc-env=MDO_SAMPLE_BOOTSTRAP={}", bootstrap.display());
    let server = match is_native && variable("PROFILE") == "release" {
        true => {
            for path in ["server", "model"] {
                println!("cargo::rerun-if-changed=crates/{path}");
            }
            build(&root, &Program { package: "mdo-server", name: "mdo-server", profile: "release" })
        }
        false => nothing,
    };
    println!("cargo::rustc-env=MDO_STATIC_SERVER={}", server.display());
}

/// A program of the workspace that is built in a target folder of its own.
struct Program {
    package: &'static str,
    name: &'static str,
    profile: &'static str,
}

fn build(root: &Path, program: &Program) -> PathBuf {
    let Program { package, name, profile } = *program;
    let folder = if package == "mdo-server" { "container" } else { "bootstrap" };
    let target = root.join("target").join(folder);
    let run = |flags: &[&str]| {
        let mut cargo = Command::new(variable("CARGO"));
        cargo.args(["rustc", "--quiet", "--profile", profile, "-p", package, "--bin", name]);
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
            "cargo::warning=no static C library to link with (libc.a): the embedded {package} is dynamic"
        );
        assert!(run(&[]), "{package} could not be built: see above");
    }
    target.join(profile).join(name)
}

/// Whether what is built for the machine that builds runs where mdo will: on Linux with the same kind of processor. What is static
/// needs no C library there, be it another one.
fn is_of_this_kind(host: &str, target: &str) -> bool {
    let processor = |triple: &str| triple.split('-').next().map(str::to_owned);
    host.contains("-linux-") && target.contains("-linux-") && processor(host) == processor(target)
}

/// A machine that is not Linux cannot link for it without more tools; who needs a program then says so.
fn none(folder: &Path) -> PathBuf {
    let path = folder.join("nothing");
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
