//! A zip is the same bytes on every machine.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use mdo_model::Sha256;
use mdo_package::PackageError;

use super::elf::{Elf, X86_64};
use super::function::{Function, content, entries};

fn fixture() -> Function {
    let table: String = (0..5000).map(|row| format!("{row},{}\n", row * row % 97)).collect();
    Function::ready()
        .file("data/table.csv", table)
        .file("data/é.txt", "accents sort by their bytes")
        .file("Zebra", "upper case sorts first")
        .executable("lib/tool", "#!/bin/sh\necho hello\n")
        .file("empty", "")
        .file("function.json", r#"{"runtime": "provided.al2023"}"#)
}

#[test]
fn are_the_same_on_every_machine() {
    let function = fixture();
    let package = function.package().unwrap();
    assert_eq!(
        package.sha256.to_string(),
        "d217c15727221a065ed29f7bcd8d09c30919124d15397575b9e9a93f6f1a2c44"
    );
}

#[test]
fn do_not_depend_on_times_order_or_umask() {
    let original = fixture();
    let first = original.package().unwrap();
    let second = Function::empty()
        .file("empty", "")
        .executable("lib/tool", "#!/bin/sh\necho hello\n")
        .file("Zebra", "upper case sorts first")
        .file("data/é.txt", "accents sort by their bytes")
        .file("data/table.csv", content(&first.path, "data/table.csv"))
        .executable("bootstrap", Elf::program(X86_64).bytes());
    let bootstrap = second.folder().join("bootstrap");
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o775)).unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&bootstrap).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(second.package().unwrap().sha256, first.sha256);
}

#[test]
fn hold_sorted_names_and_two_modes_and_no_folders() {
    let function = fixture();
    let package = function.package().unwrap();
    assert_eq!(
        entries(&package.path),
        [
            ("Zebra".to_owned(), 0o100_644),
            ("bootstrap".to_owned(), 0o100_755),
            ("data/table.csv".to_owned(), 0o100_644),
            ("data/é.txt".to_owned(), 0o100_644),
            ("empty".to_owned(), 0o100_644),
            ("lib/tool".to_owned(), 0o100_755),
        ]
    );
}

#[test]
fn say_nothing_of_the_host() {
    let function = fixture();
    let package = function.package().unwrap();
    let mut zip = zip::ZipArchive::new(File::open(&package.path).unwrap()).unwrap();
    for at in 0..zip.len() {
        let entry = zip.by_index(at).unwrap();
        assert_eq!(entry.system(), zip::System::Unix);
        assert_eq!(entry.version_made_by(), (2, 0));
        assert_eq!(entry.last_modified(), Some(zip::DateTime::DEFAULT));
        assert_eq!(entry.extra_data(), None);
        assert_eq!(entry.comment(), "");
    }
    let bytes = fs::read(&package.path).unwrap();
    let zip64_end = b"PK\x06\x06";
    assert!(!bytes.windows(4).any(|window| window == zip64_end));
}

#[test]
fn are_what_the_package_says_they_are() {
    let function = fixture();
    let package = function.package().unwrap();
    let bytes = fs::read(&package.path).unwrap();
    assert_eq!(Sha256::of(&bytes), package.sha256);
    assert_eq!(bytes.len() as u64, package.size);
    assert_eq!(package.path.file_name().unwrap().to_str().unwrap(), format!("{}.zip", package.sha256));
    let total: usize =
        entries(&package.path).iter().map(|(name, _)| content(&package.path, name).len()).sum();
    assert_eq!(package.unzipped, total as u64);
    assert_eq!(package.warnings, Vec::<String>::new());
}

#[test]
fn are_one_file_when_nothing_changed() {
    let function = fixture();
    let first = function.package().unwrap();
    assert_eq!(function.package().unwrap(), first);
    assert_eq!(fs::read_dir(function.artifacts()).unwrap().count(), 1);
}

#[test]
fn replace_what_is_there_and_may_be_damaged() {
    let function = fixture();
    let first = function.package().unwrap();
    fs::write(&first.path, "half").unwrap();
    let second = function.package().unwrap();
    assert_eq!(Sha256::of(&fs::read(second.path).unwrap()), first.sha256);
}

#[test]
fn survive_two_packagings_at_once() {
    let function = fixture();
    let packages: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| function.package().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for package in &packages {
        assert_eq!(package, &packages[0]);
        assert_eq!(Sha256::of(&fs::read(&package.path).unwrap()), package.sha256);
    }
    assert_eq!(fs::read_dir(function.artifacts()).unwrap().count(), 1);
}

#[test]
fn that_cannot_be_written_name_the_file() {
    let function = fixture();
    fs::write(function.artifacts(), "a file where the folder should be").unwrap();
    let error = function.package().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("function sample_producer: cannot write {}", function.artifacts().display())
    );
}

/// A limit on file sizes stands in for a full disk: both fail a write half-way.
#[test]
fn that_do_not_fit_on_the_disk_name_the_file() {
    const INSIDE: &str = "MDO_TEST_FULL_DISK";
    if std::env::var_os(INSIDE).is_some() {
        let noise: Vec<u8> =
            (0..8_000_u32).flat_map(|at| Sha256::of(&at.to_le_bytes()).as_bytes().to_owned()).collect();
        let folder = std::env::var(INSIDE).unwrap();
        let function = Function::ready();
        // Written in pieces, for the limit holds for each file.
        let function = noise
            .chunks(8_000)
            .enumerate()
            .fold(function, |function, (at, chunk)| function.file(&format!("noise{at}"), chunk));
        let artifacts = Path::new(&folder).join("artifacts");
        let error = function.with_source(|source| mdo_package::package(source, &artifacts)).unwrap_err();
        let PackageError::Write { path, .. } = &error else {
            panic!("{error}");
        };
        assert!(path.starts_with(&artifacts), "{error}");
        assert_eq!(fs::read_dir(&artifacts).unwrap().count(), 0, "no half-written zip stays");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; ulimit -f 32; exec "$0" --exact zip_bytes::that_do_not_fit_on_the_disk_name_the_file --nocapture"#])
            .arg(std::env::current_exe().unwrap())
            .env(INSIDE, home.path())
            .output()
            .unwrap();
    let talk = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    assert!(!talk.contains("ZipWriter"), "nothing but mdo's own output talks: {talk}");
}

/// Bytes that no compression makes smaller: xorshift.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..bytes / 8).flat_map(|_| next()).collect()
}

#[test]
fn over_50_mb_need_a_bucket_on_aws_alone() {
    let function = Function::ready().file("data/model.bin", noise(51 * 1024 * 1024)).file("data/small", "");
    let (problem, help) = function.problems().remove(0);
    assert_eq!(
        problem,
        "the zip is 51.0 MB, over the 50.0 MB that Lambda takes directly; largest: data/ 51.0 MB, bootstrap 400 bytes"
    );
    assert!(help.contains("[artifacts]") && help.contains(".mdoignore"), "{help}");
    let function = function.with_bucket();
    let package = function.package().unwrap();
    assert!(package.size > mdo_model::quotas::DIRECT_UPLOAD_LIMIT);
    assert!(package.warnings[0].contains("so it goes through a bucket; largest: data/ 51.0 MB"));
    let package = function.for_this_machine().package().unwrap();
    assert!(
        package.warnings[0].contains("so a deploy to AWS needs a bucket under `[artifacts]` in project.toml")
    );
}
