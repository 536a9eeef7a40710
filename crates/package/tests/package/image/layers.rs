//! What the layers hold, in which order, and what they are known by.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use serde_json::{Value, json};

use super::parts::{Making, layer, shop};
use super::tar::{lines, list, read};
use crate::elf::{AARCH64, Elf};
use crate::function::Function;

#[test]
fn the_same_parts_make_the_same_image_on_every_machine() {
    let making = shop();
    let first = making.image().unwrap();
    assert_eq!(first.digest.to_string(), GOLDEN);
    assert_eq!(first.tag(), GOLDEN[..12]);
    // Neither the order in which parts are named nor the modes of the files of a derivative count.
    let mut elsewhere = shop();
    elsewhere.functions.reverse();
    let module = elsewhere.home.path().join("trees/sklearn-python3_13/six.py");
    fs::set_permissions(module, fs::Permissions::from_mode(0o600)).unwrap();
    let second = elsewhere.image().unwrap();
    assert_eq!((second.digest, &second.config), (first.digest, &first.config));
}

/// Another one means that every image of every user is new.
const GOLDEN: &str = "3a1383064ebf0feb40439170a15a787c3e23244a60b02998693df51372708490";

#[test]
fn the_layers_are_the_server_the_derivatives_the_functions_and_the_stack() {
    let making = shop();
    let image = making.image().unwrap();
    let held: Vec<_> =
        image.layers.iter().map(|layer| (layer.what.to_string(), lines(&layer.path))).collect();
    let expected: [(&str, &[&str]); 5] = [
        (
            "server",
            &[
                "755 folder etc",
                "644 file etc/group",
                "644 file etc/passwd",
                "755 file mdo-server",
                "755 folder srv",
                "1777 folder tmp",
            ],
        ),
        (
            "derivative sklearn-python3_13",
            &[
                "755 folder opt",
                "755 folder opt/derivatives",
                "755 folder opt/derivatives/sklearn-python3_13",
                "755 folder opt/derivatives/sklearn-python3_13/numpy",
                "644 file opt/derivatives/sklearn-python3_13/numpy/__init__.py",
                "644 file opt/derivatives/sklearn-python3_13/six.py",
            ],
        ),
        ("function echo", &["755 folder srv", "755 folder srv/echo", "755 file srv/echo/bootstrap"]),
        (
            "function sampler",
            &[
                "755 folder srv",
                "755 folder srv/sampler",
                "755 file srv/sampler/bootstrap",
                "755 folder srv/sampler/data",
                "644 file srv/sampler/data/table.csv",
                "755 folder srv/sampler/lib",
                "755 file srv/sampler/lib/tool",
            ],
        ),
        ("stack.json", &["644 file stack.json"]),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(what, lines)| {
            ((*what).to_owned(), lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(held, expected);
    for (.., whose) in image.layers.iter().flat_map(|layer| list(&layer.path)) {
        assert_eq!(whose, json!([0, 0, 0, "", ""]));
    }
    let server = &layer(&image, "server").path;
    assert_eq!(
        String::from_utf8(read(server, "etc/passwd")).unwrap(),
        "root:x:0:0:root:/root:/sbin/nologin\nmdo:x:65532:65532:mdo:/srv:/sbin/nologin\n"
    );
    assert_eq!(String::from_utf8(read(server, "etc/group")).unwrap(), "root:x:0:\nmdo:x:65532:\n");
    assert_eq!(read(&layer(&image, "stack.json").path, "stack.json"), br#"{"project":"shop"}"#);
}

#[test]
fn the_configuration_says_how_it_is_run_and_the_manifest_what_it_consists_of() {
    let making = shop();
    let image = making.image().unwrap();
    let config: Value = serde_json::from_slice(&image.config).unwrap();
    let diff_ids: Vec<_> = image.layers.iter().map(|layer| format!("sha256:{}", layer.diff_id)).collect();
    let history =
        ["server", "derivative sklearn-python3_13", "function echo", "function sampler", "stack.json"]
            .map(|what| json!({ "created": "1970-01-01T00:00:00Z", "created_by": format!("mdo: {what}") }));
    assert_eq!(
        config,
        json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": "65532:65532",
                "ExposedPorts": { "8080/tcp": {} },
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Entrypoint": ["/mdo-server", "--listen", "0.0.0.0", "/stack.json"],
                "Volumes": { "/tmp": {} },
                "WorkingDir": "/srv",
                "Labels": { "org.opencontainers.image.title": "shop" },
                "StopSignal": "SIGTERM",
            },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": history,
        })
    );
    let described = |layer: &mdo_package::image::Layer| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": format!("sha256:{}", layer.digest),
            "size": layer.size,
        })
    };
    let manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    assert_eq!(
        manifest,
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": format!("sha256:{}", Sha256::of(&image.config)),
                "size": image.config.len(),
            },
            "layers": image.layers.iter().map(described).collect::<Vec<_>>(),
        })
    );
    assert_eq!((Sha256::of(&image.manifest), Sha256::of(&image.config)), (image.digest, image.config_digest));
    for layer in &image.layers {
        let blob = fs::read(&layer.path).unwrap();
        assert_eq!((Sha256::of(&blob), blob.len() as u64), (layer.digest, layer.size), "{}", layer.what);
    }
}

#[test]
fn arm_has_its_variant() {
    let mut making = Making::new().server(&Elf::program(AARCH64).bytes());
    making.architecture = Architecture::Arm64;
    let config: Value = serde_json::from_slice(&making.image().unwrap().config).unwrap();
    assert_eq!((&config["architecture"], &config["variant"]), (&json!("arm64"), &json!("v8")));
}

#[test]
fn an_unchanged_function_keeps_its_layer_whatever_else_changes() {
    let before = shop();
    let first = before.image().unwrap();
    let after = before
        .function("sampler", &Function::ready().file("data/table.csv", "1,2,3"))
        .derivative("pillow", &[("PIL/__init__.py", "")])
        .stack(r#"{"project":"shop","routes":{}}"#);
    let second = after.image().unwrap();
    let seen: Vec<_> = second
        .layers
        .iter()
        .map(|layer| {
            let same = first.layers.iter().any(|other| other.digest == layer.digest);
            (layer.what.to_string(), same, layer.was_there)
        })
        .collect();
    let expected = [
        ("server", true),
        ("derivative pillow", false),
        ("derivative sklearn-python3_13", true),
        ("function echo", true),
        ("function sampler", false),
        ("stack.json", false),
    ];
    let expected: Vec<_> = expected.map(|(what, same)| (what.to_owned(), same, same)).to_vec();
    assert_eq!(seen, expected);
}

#[test]
fn names_of_any_length_come_back_as_they_are() {
    let deep = ["a-folder-of-some-length"; 5].join("/");
    let too_deep = ["a-folder-of-some-length"; 12].join("/");
    let accents = "é".repeat(120);
    let names = [
        format!("{deep}/fits-in-two-fields"),
        format!("{too_deep}/does-not"),
        format!("{}.txt", "n".repeat(200)),
        format!("{accents}.txt"),
    ];
    let function = names.iter().fold(Function::ready(), |function, name| function.file(name, name));
    let making = Making::new().function("echo", &function);
    let image = making.image().unwrap();
    let path = &layer(&image, "function echo").path;
    let held: Vec<_> = list(path).into_iter().map(|(name, ..)| name).collect();
    for name in names {
        let inside = format!("srv/echo/{name}");
        assert!(held.contains(&inside), "{inside}");
        assert_eq!(read(path, &inside), name.as_bytes());
    }
    let tar = gunzip(&fs::read(path).unwrap());
    let extended = tar.chunks(512).filter(|block| block[257..262] == *b"ustar" && block[156] == b'x').count();
    // Its last two folders, itself, and the two files whose own names are too long.
    assert_eq!(extended, 5, "pax where USTAR has no room, and nowhere else");
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut tar).unwrap();
    tar
}

#[test]
fn nothing_of_the_host_is_in_a_layer() {
    let making = shop();
    let image = making.image().unwrap();
    for layer in &image.layers {
        let blob = fs::read(&layer.path).unwrap();
        // gzip's head: no name, no time, no system.
        assert_eq!(blob[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], "{}", layer.what);
    }
}
