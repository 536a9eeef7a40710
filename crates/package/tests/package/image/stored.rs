//! The store of layers: bounded, for several at once, and without anything unfinished.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::thread;

use super::parts::{Making, shop};
use crate::function::Function;

#[test]
fn two_at_once_make_the_same_and_leave_nothing_unfinished() {
    let making = shop();
    let digests: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| making.image().unwrap().digest)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    let mut expected: Vec<_> =
        making.image().unwrap().layers.iter().map(|layer| layer.digest.to_string()).collect();
    expected.sort();
    assert_eq!(making.stored(), expected);
}

#[test]
fn what_has_not_been_used_for_the_longest_time_goes_first() {
    let making = Making::new().function("echo", &Function::ready());
    drop(making.image().unwrap());
    let first = making.stored();
    let making = making.function("echo", &Function::ready().file("data", "second"));
    drop(making.image().unwrap());
    assert_eq!(making.stored().len(), first.len() + 1, "the old function stays as long as there is room");
    // No room at all: everything goes but what this image needs, which is made again.
    let image = making.image_in(&making.store().bounded_to(0)).unwrap();
    assert!(image.layers.iter().all(|layer| !layer.was_there));
    assert_eq!(making.stored().len(), image.layers.len());
    // Nothing goes while somebody has an image.
    making.image_in(&making.store().bounded_to(0)).unwrap();
    assert!(image.layers.iter().all(|layer| layer.path.is_file()));
}

#[test]
fn what_a_crash_has_left_goes_with_the_next_image() {
    let making = shop();
    drop(making.image().unwrap());
    let blobs = making.home.path().join(".mdo/images/blobs");
    fs::write(blobs.join(".part-abc"), "half").unwrap();
    fs::create_dir_all(blobs.join(".part-def/code")).unwrap();
    let before = making.stored().len();
    drop(making.image().unwrap());
    assert_eq!(making.stored().len(), before - 2);
}

#[test]
fn a_layer_that_is_gone_or_cut_short_is_made_again() {
    let making = shop();
    let first = making.image().unwrap();
    fs::remove_file(&first.layers[2].path).unwrap();
    fs::write(&first.layers[3].path, "cut").unwrap();
    let second = making.image().unwrap();
    assert_eq!(second.digest, first.digest);
    let again: Vec<_> =
        second.layers.iter().filter(|layer| !layer.was_there).map(|l| l.what.to_string()).collect();
    assert_eq!(again, ["function echo", "function sampler"]);
}

#[test]
fn it_is_closed_to_others_and_never_a_way_out() {
    let making = shop();
    let image = making.image().unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&making.home.path().join(".mdo/images/blobs")), 0o700);
    assert_eq!(mode(&image.layers[0].path), 0o600);
    let other = shop();
    let elsewhere = other.home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(other.home.path().join(".mdo")).unwrap();
    let link = other.home.path().join(".mdo/images");
    symlink(&elsewhere, &link).unwrap();
    let error = other.image().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} is a link: mdo follows no link in its own folder", link.display())
    );
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let making = shop();
    fs::write(making.home.path().join(".mdo"), "a file in its place").unwrap();
    let error = making.image().unwrap_err();
    let folder = making.home.path().join(".mdo/images/blobs");
    assert!(error.to_string().starts_with(&format!("cannot write {}: ", folder.display())), "{error}");
}

/// A disk of its own for a folder.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// If this machine lets us have one.
    #[expect(clippy::print_stderr, reason = "who reads the tests is told what they have not tried")]
    fn at(folder: &std::path::Path, size: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let options = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "mdo-test"]).arg(folder).output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(folder.to_owned()));
        }
        eprintln!("skipping what needs a full disk: only root can mount one");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing_unfinished() {
    let mut noise = 1_u32;
    let text: String = (0..500_000)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b' ' + (noise >> 26) as u8)
        })
        .collect();
    let making = Making::new().derivative("large", &[("table.csv", &text)]);
    let Some(disk) = SmallDisk::at(&making.home.path().join(".mdo"), "256k") else { return };
    let error = making.image().unwrap_err();
    let blobs = making.home.path().join(".mdo/images/blobs");
    assert_eq!(
        error.to_string(),
        format!("cannot write {}: No space left on device (os error 28)", blobs.display())
    );
    assert_eq!(error.help().as_deref(), Some("free some space on that disk"));
    assert!(making.stored().iter().all(|name| !name.starts_with(".part-")), "{:?}", making.stored());
    drop(disk);
    making.image().unwrap();
}
