//! What goes into a package and what stays out of it.

use std::fs;

use super::elf::{Elf, X86_64};
use super::function::{Function, content, entries};

#[test]
fn hidden_files_but_none_of_mdos_own() {
    let function = Function::ready()
        .file(".env.defaults", "A=1")
        .file(".config/settings", "")
        .file("function.json", "{}")
        .file("function.dev.json", "{}")
        .file(".mdoignore", "")
        .file("data/.mdoignore", "")
        .file("data/function.json", "a library's own")
        .file(".git/config", "");
    assert_eq!(function.names(), [".config/settings", ".env.defaults", "bootstrap", "data/function.json"]);
}

#[test]
fn no_junk_of_editors_and_systems() {
    let function = Function::ready()
        .file(".DS_Store", "")
        .file("data/.DS_Store", "")
        .file("Thumbs.db", "")
        .file(".main.rs.swp", "")
        .file("notes~", "");
    assert_eq!(function.names(), ["bootstrap"]);
}

#[test]
fn what_git_ignores() {
    let function = Function::ready().file("vendor.so", "").file("data/model", "");
    fs::create_dir(function.home.path().join(".git")).unwrap();
    fs::write(function.home.path().join(".gitignore"), "bootstrap\n*.so\n").unwrap();
    fs::write(function.folder().join("data/.gitignore"), "model\n").unwrap();
    assert_eq!(function.names(), ["bootstrap", "data/.gitignore", "data/model", "vendor.so"]);
}

#[test]
fn what_its_mdoignore_leaves() {
    let function = Function::ready()
        .file(".mdoignore", "# sources\n/src/\n*.md\n!KEEP.md\n")
        .file("src/main.rs", "")
        .file("data/src/kept", "")
        .file("README.md", "")
        .file("KEEP.md", "");
    assert_eq!(function.names(), ["KEEP.md", "bootstrap", "data/src/kept"]);
}

#[test]
fn what_the_nearest_mdoignore_leaves() {
    let function = Function::ready()
        .file(".mdoignore", "*.csv\n")
        .file("data/.mdoignore", "!kept.csv\n/raw\n")
        .file("data/kept.csv", "")
        .file("data/dropped.csv", "")
        .file("data/raw", "")
        .file("raw", "");
    assert_eq!(function.names(), ["bootstrap", "data/kept.csv", "raw"]);
}

#[test]
fn no_rules_of_a_mdoignore_above_the_project() {
    let function = Function::ready().file("data", "");
    fs::write(function.home.path().join(".mdoignore"), "*\n").unwrap();
    assert_eq!(function.names(), ["bootstrap", "data"]);
}

#[test]
fn what_the_mdoignores_of_the_project_leave_counted_from_their_folders() {
    let function = Function::ready()
        .file("secrets", "")
        .file("deep/secrets", "")
        .file("tests/a", "")
        .file("kept.log", "")
        .file("kept.md", "")
        .file("src/main.rs", "");
    let project = function.home.path();
    fs::write(project.join(".mdoignore"), "sample_producer/secrets\n/src\ntests/\n*.log\n*.md\n").unwrap();
    fs::write(function.folder().join(".mdoignore"), "!*.md\n").unwrap();
    let names = function.names_within(&project.join(".mdoignore"));
    assert_eq!(names, ["bootstrap", "deep/secrets", "kept.md", "src/main.rs"]);
}

#[test]
fn json_files_that_only_look_like_settings() {
    let function = Function::ready()
        .file("function.json", "{}")
        .file("function.prod.json", "{}")
        .file("function.apex.json", "{}")
        .file("functions.json", "{}")
        .file("function_map.json", "{}")
        .file("function.2.json", "{}")
        .file("function.a.b.json", "{}");
    let held = ["bootstrap", "function.2.json", "function.a.b.json", "function_map.json", "functions.json"];
    assert_eq!(function.names(), held);
}

#[test]
fn whatever_an_exclamation_mark_takes_back() {
    let function = Function::ready()
        .file("function.json", "{}")
        .file(".env", "A=1")
        .file("notes~", "")
        .file(".mdoignore", "!function.json\n!.env\n!*~\n!.mdoignore\n");
    assert_eq!(function.names(), [".env", ".mdoignore", "bootstrap", "function.json", "notes~"]);
}

#[test]
fn no_env_file_that_nobody_asked_for() {
    let function = Function::ready()
        .file(".env", "TOKEN=s3cret")
        .file("config/.env", "TOKEN=s3cret")
        .file(".env.local", "TOKEN=s3cret")
        .file(".env.prod.local", "TOKEN=s3cret")
        .file(".env.example", "TOKEN=");
    assert_eq!(function.names(), [".env.example", "bootstrap"]);
}

#[test]
fn what_hooks_make_and_the_scripts_that_they_name() {
    let function = Function::empty()
        .file("source", Elf::program(X86_64).bytes())
        .executable("build.sh", "#!/bin/sh\nmkdir -p data && echo made > data/made\n")
        .file("tools/clean.sh", "")
        .build_hook("FAST=1 ./build.sh --release && cp source bootstrap && chmod +x ./bootstrap")
        .clean_hook("sh tools/clean.sh");
    let held = ["bootstrap", "build.sh", "data/made", "source", "tools/clean.sh"];
    assert_eq!(function.names(), held);
}

#[test]
fn no_artifacts_when_their_folder_lies_inside() {
    let function = Function::ready();
    let inside = function.folder().join("target/mdo");
    let first = function.with_source(|source| mdo_package::package(source, &inside)).unwrap();
    let second = function.with_source(|source| mdo_package::package(source, &inside)).unwrap();
    assert_eq!(first, second);
}

#[test]
fn the_content_behind_links() {
    let function =
        Function::ready().file("data/real", "content").link("alias", "data/real").link("folder", "data");
    let package = function.package().unwrap();
    assert_eq!(function.names(), ["alias", "bootstrap", "data/real", "folder/real"]);
    assert_eq!(content(&package.path, "alias"), b"content");
    assert_eq!(content(&package.path, "folder/real"), b"content");
    assert!(entries(&package.path).iter().all(|(_, mode)| mode & 0o170_000 == 0o100_000));
}
