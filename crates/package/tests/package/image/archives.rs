//! The archive of an image: one tar that every engine reads.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mdo_model::Sha256;
use mdo_package::image::{Image, ImageError, write_archive, write_archive_to};
use serde_json::{Value, json};

use super::parts::{Making, names, shop};
use super::tar::{lines, read};

/// A program, if this machine has it.
#[expect(clippy::print_stderr, reason = "who reads the tests is told what they have not tried")]
fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipping what needs {name}: this machine has none; apt-get install {name}");
    }
    found
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn archived(making: &Making) -> (Image, PathBuf) {
    let image = making.image().unwrap();
    let path = making.home.path().join("shop.tar");
    write_archive(&image, "shop:latest", &path).unwrap();
    (image, path)
}

fn text(tar: &Path, name: &str) -> Value {
    serde_json::from_slice(&read(tar, name)).unwrap()
}

#[test]
fn it_is_an_oci_archive_and_a_docker_archive_at_once() {
    let making = shop();
    let (image, path) = archived(&making);
    let place = |digest: Sha256| format!("blobs/sha256/{digest}");
    let mut blobs: Vec<_> = image.layers.iter().map(|layer| place(layer.digest)).collect();
    blobs.extend([place(image.config_digest), place(image.digest)]);
    blobs.sort();
    let head = ["644 file index.json", "644 file manifest.json", "644 file oci-layout"];
    let folders = ["755 folder blobs", "755 folder blobs/sha256"];
    let expected = head.into_iter().chain(folders).map(str::to_owned);
    let expected: Vec<_> = expected.chain(blobs.iter().map(|blob| format!("644 file {blob}"))).collect();
    assert_eq!(lines(&path), expected);
    for blob in &blobs {
        assert_eq!(place(Sha256::of(&read(&path, blob))), *blob);
    }
    assert_eq!(text(&path, "oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }));
    assert_eq!(
        text(&path, "index.json"),
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": format!("sha256:{}", image.digest),
                "size": image.manifest.len(),
                "platform": { "architecture": "amd64", "os": "linux" },
                "annotations": {
                    "io.containerd.image.name": "docker.io/library/shop:latest",
                    "org.opencontainers.image.ref.name": "shop:latest",
                },
            }],
        })
    );
    let layers: Vec<_> = image.layers.iter().map(|layer| place(layer.digest)).collect();
    let docker =
        json!([{ "Config": place(image.config_digest), "RepoTags": ["shop:latest"], "Layers": layers }]);
    assert_eq!(text(&path, "manifest.json"), docker);
}

#[test]
fn it_is_the_same_bytes_into_a_file_and_into_a_pipe() {
    let making = shop();
    let (image, path) = archived(&making);
    let mut piped = Vec::new();
    write_archive_to(&image, "shop:latest", &mut piped).unwrap();
    assert_eq!(piped, fs::read(&path).unwrap());
    assert_eq!(names(making.home.path()).iter().filter(|name| name.starts_with(".image-")).count(), 0);
    // What is no file is written into, not replaced.
    write_archive(&image, "shop:latest", Path::new("/dev/null")).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let making = shop();
    let image = making.image().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let error = write_archive_to(&image, "shop:latest", full).unwrap_err();
    assert_eq!(error.to_string(), "cannot write -: No space left on device (os error 28)");
    assert_eq!(error.help().as_deref(), Some("free some space on that disk"));
    let error = write_archive(&image, "shop:latest", Path::new("/dev/full")).unwrap_err();
    assert_eq!(error.to_string(), "cannot write /dev/full: No space left on device (os error 28)");
    let nowhere = making.home.path().join("nowhere/shop.tar");
    let error = write_archive(&image, "shop:latest", &nowhere).unwrap_err();
    let expected = format!("cannot write {}: No such file or directory", nowhere.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_layer_that_was_damaged_since_is_not_passed_on() {
    let making = shop();
    let image = making.image().unwrap();
    let layer = &image.layers[0];
    let mut bytes = fs::read(&layer.path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&layer.path, bytes).unwrap();
    let path = making.home.path().join("shop.tar");
    let error = write_archive(&image, "shop:latest", &path).unwrap_err();
    assert!(matches!(&error, ImageError::Damaged { path } if *path == layer.path), "{error}");
    assert_eq!(error.help().unwrap(), format!("remove it and run again: rm '{}'", layer.path.display()));
    assert!(!path.exists());
}

#[test]
fn skopeo_reads_it_both_ways() {
    let Some(skopeo) = program("skopeo") else { return };
    let making = shop();
    let (image, path) = archived(&making);
    for transport in ["oci-archive", "docker-archive"] {
        let output = run(Command::new(&skopeo).args(["inspect", &format!("{transport}:{}", path.display())]));
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&seen["Architecture"], &seen["Os"]), (&json!("amd64"), &json!("linux")), "{transport}");
        assert_eq!(seen["Labels"], json!({ "org.opencontainers.image.title": "shop" }), "{transport}");
        assert_eq!(seen["Layers"].as_array().unwrap().len(), image.layers.len(), "{transport}");
        if transport == "oci-archive" {
            assert_eq!(seen["Digest"], json!(format!("sha256:{}", image.digest)));
        }
    }
}

#[test]
fn podman_loads_it_under_its_name() {
    let Some(podman) = program("podman") else { return };
    let making = shop();
    let (image, path) = archived(&making);
    let storage = making.home.path().join("storage");
    let podman = |arguments: &[&str]| {
        let mut command = Command::new(&podman);
        command.arg("--root").arg(storage.join("root")).arg("--runroot").arg(storage.join("run"));
        run(command.args(["--storage-driver", "vfs"]).args(arguments))
    };
    podman(&["load", "--quiet", "--input", path.to_str().unwrap()]);
    let seen = podman(&["image", "inspect", "shop:latest"]);
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen[0]["Id"], json!(image.config_digest.to_string()));
    assert_eq!(seen[0]["Config"]["Entrypoint"], json!(["/mdo-server", "--listen", "0.0.0.0", "/stack.json"]));
    assert_eq!(seen[0]["User"], json!("65532:65532"));
    podman(&["image", "rm", "--all", "--force"]);
}
