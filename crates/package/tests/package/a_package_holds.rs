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
fn no_parent_mdoignores_rules() {
    let function = Function::ready().file("data", "");
    fs::write(function.home.path().join(".mdoignore"), "*\n").unwrap();
    assert_eq!(function.names(), ["bootstrap", "data"]);
}

#[test]
fn no_function_json_whatever_mdoignore_says() {
    let function = Function::ready().file("functions_map.json", "{}").file("function.json", "{}");
    assert_eq!(function.names(), ["bootstrap"]);
    let function = function.file(".mdoignore", "!function*.json\n");
    assert_eq!(function.names(), ["bootstrap"]);
}

#[test]
fn what_hooks_make_but_not_their_scripts() {
    let function = Function::empty()
        .file("source", Elf::program(X86_64).bytes())
        .executable("build.sh", "#!/bin/sh\nmkdir -p data && echo made > data/made\n")
        .file("tools/clean.sh", "")
        .build_hook("FAST=1 ./build.sh --release && cp source bootstrap && chmod +x ./bootstrap")
        .clean_hook("sh tools/clean.sh");
    assert_eq!(function.names(), ["bootstrap", "data/made", "source"]);
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
