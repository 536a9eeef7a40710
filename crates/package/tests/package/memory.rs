//! An unchanged folder is not packaged again, and a changed one always is.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt;

use mdo_package::Package;

use crate::function::{Function, content};

fn inode(package: &Package) -> u64 {
    fs::metadata(&package.path).unwrap().ino()
}

/// The package of a folder that has rested long enough to be remembered: packaging again leaves the zip as it is.
fn remembered(function: &Function) -> Package {
    loop {
        let first = function.package().unwrap();
        let before = inode(&first);
        let second = function.package().unwrap();
        assert_eq!(first, second);
        if inode(&second) == before {
            return second;
        }
        std::thread::yield_now();
    }
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let function = Function::ready().file("greeting", "hello");
    let package = remembered(&function);
    let path = function.folder().join("greeting");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "howdy").unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_times(FileTimes::new().set_modified(modified))
        .unwrap();
    let edited = function.package().unwrap();
    assert_ne!(edited.sha256, package.sha256);
    assert_eq!(content(&edited.path, "greeting"), b"howdy");
}

#[test]
fn what_is_remembered_is_what_was_said_too() {
    let function = Function::empty().executable("bootstrap", "#!/bin/sh\n");
    let package = remembered(&function);
    assert_eq!(package.warnings.len(), 1);
}

#[test]
fn a_zip_that_is_gone_or_cut_short_is_made_again() {
    let function = Function::ready();
    let package = remembered(&function);
    fs::remove_file(&package.path).unwrap();
    assert_eq!(function.package().unwrap(), package);
    let whole = fs::read(&package.path).unwrap();
    fs::write(&package.path, &whole[1..]).unwrap();
    assert_eq!(fs::read(function.package().unwrap().path).unwrap(), whole);
}

#[test]
fn other_rules_and_a_damaged_memory_package_anew() {
    let function = Function::ready();
    let package = remembered(&function);
    let memory = function.artifacts().join("sample_producer.json");
    fs::write(&memory, "{").unwrap();
    assert_eq!(function.package().unwrap(), package);
    let before = inode(&remembered(&function));
    let function = function.with_bucket();
    assert_ne!(inode(&function.package().unwrap()), before);
}
