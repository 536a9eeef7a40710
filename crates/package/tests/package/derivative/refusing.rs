//! What a build refuses, and what it says when it cannot go on.

use std::fs;

use mdo_model::project::Architecture;
use mdo_package::derivative::{self, Packing, Tools};

use super::project::{Project, another, names};
use super::wheel::{Wheel, source_distribution};

#[test]
fn what_has_no_wheel_for_lambda() {
    let fast = || Wheel::module("fast", "1.0").on("win_amd64");
    let project = Project::new().wheel(fast()).wants("fast\n").locked();
    project.refused(
        "derivative sklearn: uv cannot install its packages\n\
         \x20 error: No solution found when resolving dependencies\n\
         \x20   cause: Because fast==1.0 has no wheels with a matching platform tag (e.g., `manylinux_2_34_x86_64`) and you \
         require fast==1.0, we can conclude that your requirements are unsatisfiable.\n\n\
         \x20 hint: Wheels are available for `fast` (v1.0) on the following platform: `win_amd64`",
        "pin a version of fast that has a wheel for Lambda's platform, or want another package",
    );
    let project = Project::new().wheel(fast()).wants("fast\n");
    source_distribution(&project.wheels(), "fast", "1.0", false);
    project.locked().refused(
        &only_source("fast", "1.0"),
        "if fast is pure Python, let it be built: source = [\"fast\"] under `[derivatives.sklearn]` in project.toml",
    );
}

/// What uv says where a source distribution would do.
fn only_source(name: &str, version: &str) -> String {
    format!(
        "derivative sklearn: uv cannot install its packages\n\
         \x20 error: No solution found when resolving dependencies\n\
         \x20   cause: Because {name}=={version} has no usable wheels and you require {name}=={version}, we can conclude \
         that your requirements are unsatisfiable.\n\n\
         \x20 hint: Wheels are required for `{name}` because building from source is disabled for all packages (i.e., with \
         `--no-build`)"
    )
}

#[test]
fn what_is_only_there_as_source_unless_it_may_be_built() {
    let mut project = Project::new().wants("docopt\n");
    source_distribution(&project.wheels(), "docopt", "0.6.2", false);
    project = project.locked();
    project.refused(
        &only_source("docopt", "0.6.2"),
        "if docopt is pure Python, let it be built: source = [\"docopt\"] under `[derivatives.sklearn]` in project.toml",
    );
    project.recipe.source = vec!["docopt".into()];
    let built = project.build().unwrap();
    assert_eq!(built.modules, ["docopt"]);
    let notes = ["INSTALLER", "REQUESTED", "uv_build.json", "uv_cache.json", "direct_url.json"];
    assert!(!names(&built.tree).iter().any(|name| notes.iter().any(|note| name.ends_with(note))));
}

#[test]
fn to_build_from_source_what_is_not_locked() {
    let mut project = Project::colours();
    for (source, help) in [
        ("colour", "did you mean `colours`?"),
        ("nope", "take it out of `source` under `[derivatives.sklearn]` in project.toml"),
        ("-r x", "take it out of `source` under `[derivatives.sklearn]` in project.toml"),
    ] {
        project.recipe.source = vec!["Shades".into(), source.into()];
        project.refused(
            &format!(
                "derivative sklearn: `source` names `{source}`, which its requirements.txt does not pin"
            ),
            help,
        );
    }
}

#[test]
fn a_library_that_a_source_build_made_for_this_machine() {
    let mut project = Project::new().wants("fast\n");
    source_distribution(&project.wheels(), "fast", "1.0", true);
    project = project.locked();
    project.recipe.source = vec!["fast".into()];
    project.recipe.architecture = match Architecture::of_this_machine() {
        Some(Architecture::X86_64) => Architecture::Arm64,
        _ => Architecture::X86_64,
    };
    assert_eq!(
        project.build().unwrap_err().to_string(),
        format!(
            "derivative sklearn: fast/native.so is built for {}, the function runs on {}",
            std::env::consts::ARCH,
            project.recipe.architecture
        )
    );
}

#[test]
fn a_file_that_is_not_the_one_that_was_locked() {
    let mut project = Project::colours();
    let at = project.recipe.lock.find("sha256:").unwrap() + "sha256:".len();
    let locked = project.recipe.lock[at..at + 64].to_owned();
    project.recipe.lock.replace_range(at..at + 64, &"0".repeat(64));
    let error = project.build().unwrap_err();
    assert_eq!(
        project.shown(&error),
        format!(
            "derivative sklearn: uv cannot install its packages\n\
             \x20 error: Failed to download `colours==1.0`\n\
             \x20   cause: Hash mismatch for `colours==1.0`\n\n\
             \x20          Expected:\n\
             \x20            sha256:{}\n\n\
             \x20          Computed:\n\
             \x20            sha256:{locked}",
            "0".repeat(64)
        )
    );
    assert_eq!(
        error.help().unwrap(),
        "the file is not the one that was locked; if you expect that: mdo derivative lock sklearn --upgrade"
    );
}

#[test]
fn a_lock_without_hashes() {
    let mut project = Project::colours();
    project.recipe.lock = "colours==1.0\n".into();
    project.refused(
        "derivative sklearn: uv cannot install its packages\n\
         \x20 error: In `--require-hashes` mode, all requirements must have a hash, but none were provided for: colours==1.0",
        "mdo derivative lock sklearn",
    );
}

#[test]
fn to_compile_with_another_python() {
    let mut project = Project::colours();
    project.recipe.runtime = another(project.recipe.runtime);
    let version = project.recipe.runtime.version();
    let error = project.build().unwrap_err().to_string();
    assert!(
        error.starts_with(&format!(
            "derivative sklearn: its bytecode needs Python {version}, and was given 3."
        )),
        "{error}"
    );
    let tools = Tools { runtime_python: None, ..project.tools() };
    let error =
        derivative::build(&project.recipe, &project.cache(), Packing::Tree, &tools, &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("derivative sklearn: its bytecode needs Python {version}, and this machine has none")
    );
    assert_eq!(
        error.help().unwrap(),
        format!(
            "uv python install {version}, or set `bytecode = false` under `[derivatives.sklearn]` in project.toml"
        )
    );
}

#[test]
fn says_what_cannot_be_written() {
    let project = Project::colours();
    fs::write(project.home.path().join(".mdo"), "a file where the folder should be").unwrap();
    let error = project.build().unwrap_err();
    assert_eq!(
        project.shown(&error),
        "derivative sklearn: cannot write ~/.mdo/derivatives: Not a directory (os error 20)"
    );
}

/// A script stands in for uv with what it says on a full disk.
#[test]
fn says_that_the_disk_is_full() {
    let project = Project::colours();
    let uv = project.program(
        "uv",
        "echo 'error: Failed to install: scipy-1.18.1.whl (scipy==1.18.1)' >&2\n\
         echo '  cause: failed to copy file: No space left on device (os error 28)' >&2\nexit 2\n",
    );
    let tools = Tools { uv: &uv, ..project.tools() };
    let error =
        derivative::build(&project.recipe, &project.cache(), Packing::Tree, &tools, &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "derivative sklearn: uv cannot install its packages\n\
         \x20 error: Failed to install: scipy-1.18.1.whl (scipy==1.18.1)\n\
         \x20   cause: failed to copy file: No space left on device (os error 28)"
    );
    assert_eq!(error.help().unwrap(), "free some space on that disk");
}
