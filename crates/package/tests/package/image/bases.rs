//! The image below: read in each of its forms, checked, and refused with what it has instead.

use std::fs;
use std::path::{Path, PathBuf};

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_package::image::{Base, write_archive};
use serde_json::{Value, json};

use super::parts::{Making, layer};
use super::tar::{read, write};
use crate::elf::{Elf, GLIBC_LOADER, X86_64};
use crate::function::Function;

/// A Debian-like base: `/lib64` is a link, a layer takes a file of the one below away.
struct Debian {
    home: tempfile::TempDir,
}

const LOWER: [(&str, &str, &str); 8] = [
    ("etc", "folder", ""),
    ("etc/passwd", "file", "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/bin/sh"),
    ("etc/group", "file", "root:x:0:\n"),
    ("lib64", "link", "usr/lib64"),
    ("usr/lib64/ld-linux-x86-64.so.2", "link", "../lib/loader"),
    ("usr/lib/loader", "file", "loader"),
    ("usr/local/bin/python3.13", "file", "python"),
    ("usr/local/bin/python3.12", "file", "python"),
];
const UPPER: [(&str, &str, &str); 1] = [("usr/local/bin/.wh.python3.12", "file", "")];

impl Debian {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("layout/blobs/sha256")).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn layout(&self) -> PathBuf {
        self.path("layout")
    }

    fn blob(&self, bytes: &[u8], media_type: &str) -> Value {
        let digest = Sha256::of(bytes);
        fs::write(self.layout().join(format!("blobs/sha256/{digest}")), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len() })
    }

    /// An image in the layout: what points at it.
    fn image(&self, architecture: &str) -> Value {
        let mut diff_ids = Vec::new();
        let mut layers = Vec::new();
        for (at, entries) in [LOWER.as_slice(), &UPPER].into_iter().enumerate() {
            let plain = self.path(&format!("{at}.tar"));
            write(&plain, "w", "PAX_FORMAT", entries);
            let bytes = fs::read(&plain).unwrap();
            diff_ids.push(format!("sha256:{}", Sha256::of(&bytes)));
            layers.push(self.blob(&gzip(&bytes), "application/vnd.docker.image.rootfs.diff.tar.gzip"));
        }
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"], "Cmd": ["python3"], "ExposedPorts": null },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": [{ "created_by": "lower" }, { "created_by": "ENV", "empty_layer": true }, { "created_by": "upper" }],
        });
        let config = self.blob(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": config,
            "layers": layers,
        });
        let mut entry = self.blob(manifest.to_string().as_bytes(), manifest["mediaType"].as_str().unwrap());
        entry["platform"] = json!({ "architecture": architecture, "os": "linux" });
        entry
    }

    /// An OCI layout that lists these.
    fn listing(self, entries: &[Value]) -> Self {
        let index = json!({ "schemaVersion": 2, "manifests": entries });
        fs::write(self.layout().join("index.json"), index.to_string()).unwrap();
        fs::write(self.layout().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        self
    }

    fn ready() -> Self {
        let debian = Self::new();
        let entry = debian.image("amd64");
        debian.listing(&[entry])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// The layout as one tar.
fn archive(layout: &Path) -> PathBuf {
    let tar = layout.with_extension("tar");
    let mut entries = Vec::new();
    for folder in ["", "blobs/sha256"] {
        for name in super::parts::names(&layout.join(folder)).iter().filter(|name| *name != "blobs") {
            let place = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            entries.push((place.clone(), layout.join(place).display().to_string()));
        }
    }
    let entries: Vec<_> = entries.iter().map(|(name, path)| (name.as_str(), "copy", path.as_str())).collect();
    write(&tar, "w", "GNU_FORMAT", &entries);
    tar
}

/// A server and a function that need what Debian has.
fn dynamic() -> Making {
    let program = Elf::program(X86_64).loaded_by(GLIBC_LOADER).bytes();
    let python =
        Function::python("sample.handle").file("sample.py", "def handle(event, context): return 1\n");
    Making::new().server(&program).function("echo", &python).run_by("python3.13")
}

#[test]
fn ours_lies_on_top_of_it_and_keeps_its_users_and_its_environment() {
    let debian = Debian::ready();
    let making = dynamic().upon(debian.layout());
    let image = making.image().unwrap();
    let order: Vec<_> = image.layers.iter().map(|layer| layer.what.to_string()).collect();
    assert_eq!(order, ["base", "base", "server", "function echo", "stack.json"]);
    let passwd = String::from_utf8(read(&layer(&image, "server").path, "etc/passwd")).unwrap();
    assert_eq!(
        passwd,
        format!("{}\nmdo:x:65532:65532:mdo:/srv:/sbin/nologin\n", LOWER[1].2),
        "a list without a line end gets one"
    );
    let config: Value = serde_json::from_slice(&image.config).unwrap();
    assert_eq!(config["config"]["Env"], json!(["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"]));
    let base: Value = serde_json::from_slice(&fs::read(debian.layout().join("index.json")).unwrap()).unwrap();
    let digest = &base["manifests"][0]["digest"];
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.base.digest"], *digest);
    let steps: Vec<_> = config["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["created_by"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["lower", "ENV", "upper", "mdo: server", "mdo: function echo", "mdo: stack.json"]);
}

#[test]
fn it_is_the_same_in_a_folder_in_a_tar_and_from_our_own_archive() {
    let debian = Debian::ready();
    let making = dynamic().upon(debian.layout());
    let in_folder = making.image().unwrap();
    let in_tar = dynamic().upon(archive(&debian.layout())).image().unwrap();
    assert_eq!(in_tar.digest, in_folder.digest);
    // A list in a list, as docker buildx writes, beside what it says about the making.
    let nested = Debian::new();
    let (amd64, arm64) = (nested.image("amd64"), nested.image("arm64"));
    let about = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
        "digest": format!("sha256:{}", Sha256::of(b"about")), "platform": { "architecture": "unknown", "os": "unknown" } });
    let list = json!({ "schemaVersion": 2, "manifests": [arm64, amd64, about] });
    let list = nested.blob(list.to_string().as_bytes(), "application/vnd.oci.image.index.v1+json");
    let nested = nested.listing(&[list]);
    assert_eq!(dynamic().upon(nested.layout()).image().unwrap().digest, in_folder.digest);
    let own = debian.path("own.tar");
    write_archive(&in_folder, "shop:latest", &own).unwrap();
    let again = dynamic().upon(own).image().unwrap();
    assert_eq!(again.layers.len(), in_folder.layers.len() + 3);
}

#[test]
fn a_docker_archive_with_its_plain_layers_is_one_too() {
    let debian = Debian::ready();
    let (config, _) = config_of(&debian);
    for (at, _) in [LOWER.as_slice(), &UPPER].iter().enumerate() {
        assert!(debian.path(&format!("{at}.tar")).is_file());
    }
    let listing =
        json!([{ "Config": "config.json", "RepoTags": null, "Layers": ["a/layer.tar", "b/layer.tar"] }]);
    fs::write(debian.path("config.json"), &config).unwrap();
    fs::write(debian.path("manifest.json"), listing.to_string()).unwrap();
    let tar = debian.path("docker.tar");
    let copied = |name: &str| debian.path(name).display().to_string();
    let (lower, config_path, listing) = (copied("0.tar"), copied("config.json"), copied("manifest.json"));
    let upper = copied("1.tar");
    write(
        &tar,
        "w",
        "USTAR_FORMAT",
        &[
            ("layers/one.tar", "copy", &lower),
            // As docker save once wrote it.
            ("a/layer.tar", "link", "../layers/one.tar"),
            ("b/layer.tar", "copy", &upper),
            ("config.json", "copy", &config_path),
            ("manifest.json", "copy", &listing),
        ],
    );
    let making = dynamic().upon(tar);
    let image = making.image().unwrap();
    let diff_ids: Vec<_> = image.layers[..2].iter().map(|layer| layer.diff_id).collect();
    let plain = ["0.tar", "1.tar"].map(|name| Sha256::of(&fs::read(debian.path(name)).unwrap()));
    assert_eq!(diff_ids, plain);
    let base = Base::read(making.base.as_ref().unwrap(), Architecture::X86_64, &making.store()).unwrap();
    assert_eq!(base.digest, Sha256::of(&config), "it has no manifest of its own");
}

/// The configuration of the only image, and its name.
fn config_of(debian: &Debian) -> (Vec<u8>, String) {
    let parse = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(debian.layout().join(path)).unwrap()).unwrap()
    };
    let place =
        |descriptor: &Value| descriptor["digest"].as_str().unwrap().replacen("sha256:", "blobs/sha256/", 1);
    let name = place(&parse(&place(&parse("index.json")["manifests"][0]))["config"]);
    (fs::read(debian.layout().join(&name)).unwrap(), name)
}

#[test]
fn another_processor_is_refused_with_what_there_is() {
    let debian = Debian::new();
    let entries = [debian.image("arm64"), debian.image("s390x")];
    let debian = debian.listing(&entries);
    let path = debian.layout().display().to_string();
    dynamic().upon(debian.layout()).is_refused(
        &format!("cannot use {path} as the base: it has no image for linux/amd64, only for linux/arm64, linux/s390x"),
        "take a base for linux/amd64, or build the functions for the base's processor",
    );
}

#[test]
fn a_base_that_lacks_what_is_needed_is_refused() {
    let debian = Debian::ready();
    let help = "take a base that has it, or link it statically";
    dynamic()
        .run_by("python3.12")
        .upon(debian.layout())
        .is_refused("function echo needs python3.12, which the base has not", help);
    let musl = Elf::program(X86_64).loaded_by("/lib/ld-musl-x86_64.so.1").bytes();
    dynamic()
        .server(&musl)
        .upon(debian.layout())
        .is_refused("the server program needs /lib/ld-musl-x86_64.so.1, which the base has not", help);
}

#[test]
fn a_damaged_base_is_refused_with_the_blob() {
    let debian = Debian::ready();
    let (_, config) = config_of(&debian);
    fs::write(debian.layout().join(&config), "{}").unwrap();
    let path = debian.layout().display().to_string();
    dynamic().upon(debian.layout()).is_refused(
        &format!("cannot use {path} as the base: {config} is damaged: its digest is not its name"),
        "fetch or save the base again",
    );

    let debian = Debian::ready();
    let path = debian.layout().display().to_string();
    let (config, _) = config_of(&debian);
    let config: Value = serde_json::from_slice(&config).unwrap();
    let (plain, blobs) = (fs::read(debian.path("0.tar")).unwrap(), debian.layout().join("blobs/sha256"));
    assert_eq!(config["rootfs"]["diff_ids"][0], json!(format!("sha256:{}", Sha256::of(&plain))));
    let layer = format!("{}", Sha256::of(&gzip(&plain)));
    fs::write(blobs.join(&layer), gzip(b"something else")).unwrap();
    let making = dynamic().upon(debian.layout());
    making.is_refused(
        &format!(
            "cannot use {path} as the base: blobs/sha256/{layer} is damaged: its digest is not the one that the image names"
        ),
        "fetch or save the base again",
    );
    fs::remove_file(blobs.join(&layer)).unwrap();
    making.is_refused(
        &format!("cannot use {path} as the base: it has no blobs/sha256/{layer}"),
        "fetch or save the base again",
    );
}

#[test]
fn what_is_no_image_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let save = "save it with `docker save -o base.tar IMAGE` or `skopeo copy docker://IMAGE@sha256:… oci-archive:base.tar`";
    let text = home.path().join("text");
    fs::write(&text, "no image".repeat(200)).unwrap();
    let path = text.display();
    Making::new()
        .upon(text.clone())
        .is_refused(&format!("cannot use {path} as the base: not a tar archive"), save);
    let why =
        "it has neither an index.json, as an OCI archive has, nor a manifest.json, as a docker-archive has";
    let path = home.path().display();
    Making::new()
        .upon(home.path().to_owned())
        .is_refused(&format!("cannot use {path} as the base: {why}"), save);
    let missing = home.path().join("missing.tar");
    let error = Making::new().upon(missing.clone()).image().unwrap_err();
    let expected = format!("cannot read {}: No such file or directory (os error 2)", missing.display());
    assert_eq!(error.to_string(), expected);
}
