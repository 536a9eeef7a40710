//! Unpacking a zip as Lambda would, and refusing one that would leave its folder.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mdo_package::{UnpackError, unpack};

use super::elf::{Elf, X86_64};
use super::function::Function;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A zip with one entry, as an attacker would write it.
fn zip_with(home: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = home.join("evil.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap();
    path
}

#[test]
fn gives_back_what_was_packaged() {
    let function = Function::ready().file("data/deep/table", "1,2,3");
    let package = function.package().unwrap();
    let into = function.home.path().join("sandboxes/one");
    unpack(&package.path, &into).unwrap();
    assert_eq!(fs::read(into.join("data/deep/table")).unwrap(), b"1,2,3");
    assert_eq!(mode(&into.join("bootstrap")), 0o755);
    assert_eq!(mode(&into.join("data/deep/table")), 0o644);
    assert_eq!(mode(&into), 0o755);
    assert_eq!(fs::read_dir(into.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn twice_or_at_once_is_the_same_as_once() {
    let function = Function::ready();
    let package = function.package().unwrap();
    let into = function.home.path().join("sandboxes/one");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| unpack(&package.path, &into).unwrap());
        }
    });
    unpack(&package.path, &into).unwrap();
    assert_eq!(fs::read_dir(into.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(fs::read(into.join("bootstrap")).unwrap(), Elf::program(X86_64).bytes());
}

#[test]
fn never_leaves_its_folder() {
    for name in ["../evil", "/evil", "a/../../evil", "a\\..\\evil", "./evil", "a//evil"] {
        let home = tempfile::tempdir().unwrap();
        let zip = zip_with(home.path(), name, b"evil");
        let error = unpack(&zip, &home.path().join("into")).unwrap_err();
        assert!(matches!(error, UnpackError::UnsafeEntry { .. }), "{name}: {error}");
        let left: Vec<_> =
            fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["evil.zip"], "{name}");
    }
}

#[test]
fn refuses_links() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("links.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    zip.add_symlink("out", "/etc", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    let error = unpack(&path, &home.path().join("into")).unwrap_err();
    assert_eq!(error.to_string(), format!("{} holds `out`, which is a link", path.display()));
}

#[test]
fn refuses_what_is_damaged_and_leaves_nothing() {
    let function = Function::ready().file("data", "some content that is not compressed to nothing");
    let package = function.package().unwrap();
    let mut bytes = fs::read(&package.path).unwrap();
    let at = bytes.windows(9).position(|window| window == b"bootstrap").unwrap() + 12;
    bytes[at] ^= 0xff;
    let damaged = function.home.path().join("damaged.zip");
    fs::write(&damaged, bytes).unwrap();
    let into = function.home.path().join("sandboxes/one");
    assert!(matches!(unpack(&damaged, &into), Err(UnpackError::NotAZip { .. })));
    assert_eq!(fs::read_dir(into.parent().unwrap()).unwrap().count(), 0);
    fs::write(&damaged, "no zip").unwrap();
    assert!(matches!(unpack(&damaged, &into), Err(UnpackError::NotAZip { .. })));
    assert!(matches!(unpack(&into, &into), Err(UnpackError::Read { .. })));
}
