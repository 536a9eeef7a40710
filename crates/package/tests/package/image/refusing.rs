//! What cannot become an image, and what is said about it.

use std::fs;
use std::os::unix::fs::symlink;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_package::image::ImageError;

use super::parts::{Making, shop};
use crate::elf::{AARCH64, Elf, GLIBC_LOADER, X86_64};
use crate::function::Function;

#[test]
fn a_program_for_another_processor() {
    let making = Making::new().server(&Elf::program(AARCH64).bytes());
    making.is_refused(
        &format!(
            "the server program {} is built for aarch64, and the image is for x86_64",
            making.program().display()
        ),
        "take the program for x86_64, or build the functions for the program's processor",
    );
    // Also when the same program has become a layer of another image.
    let mut making = Making::new();
    making.image().unwrap();
    making.architecture = Architecture::Arm64;
    let error = making.image().unwrap_err();
    assert!(matches!(&error, ImageError::Architecture { found, .. } if found == "x86_64"), "{error}");
    assert_eq!(making.stored().iter().filter(|name| name.starts_with(".part-")).count(), 0);
}

#[test]
fn a_server_that_is_no_program() {
    for (text, found) in [("#!/bin/sh\n", "a script"), ("", "an empty file"), ("MZ", "a Windows program")] {
        let making = Making::new().server(text.as_bytes());
        let why =
            format!("the server program {} is {found}, not a Linux program", making.program().display());
        making.is_refused(&why, "name the program mdo-server, built for Linux");
    }
}

#[test]
fn what_could_not_start_without_a_base() {
    let help = "link it statically, or set `base` under `[server]` in project.toml to an image that has it";
    let dynamic = Elf::program(X86_64).loaded_by(GLIBC_LOADER).bytes();
    Making::new().server(&dynamic).is_refused(
        "the server program needs /lib64/ld-linux-x86-64.so.2, and an image without a base has no such file",
        help,
    );
    let function = Function::empty().executable("bootstrap", &dynamic);
    let making = Making::new().function("echo", &function);
    // The second time it is in the store, and no more able to start.
    for _ in 0..2 {
        making.is_refused(
            "function echo needs /lib64/ld-linux-x86-64.so.2, and an image without a base has no such file",
            help,
        );
    }
    let script = Function::empty().executable("bootstrap", "#!/bin/sh\n");
    Making::new()
        .function("echo", &script)
        .is_refused("function echo needs /bin/sh, and an image without a base has no such file", help);
    Making::new()
        .function(
            "echo",
            &Function::python("sample.handle").file("sample.py", "def handle(e, c): return 1\n"),
        )
        .run_by("python3.13")
        .is_refused("function echo needs python3.13, and an image without a base has no such file", help);
}

#[test]
fn a_zip_that_is_not_the_one_that_was_said() {
    let mut making = Making::new().function("echo", &Function::ready());
    let found = making.functions[0].sha256;
    let declared = Sha256::of(b"another");
    making.functions[0].sha256 = declared;
    let zip = making.functions[0].zip.display().to_string();
    making.is_refused(&format!("the sha256 of {zip} is {found}, not {declared}"), "package it again");
}

#[test]
fn a_derivative_whose_folder_would_lie_elsewhere_or_twice() {
    for name in ["", ".", "..", "a/b", "ü"] {
        let mut making = Making::new().derivative("sklearn", &[("six.py", "")]);
        making.derivatives[0].name = name.to_owned();
        making.is_refused(
            &format!("`{name}` cannot be the folder of a derivative in an image"),
            "letters, digits, `.`, `-` and `_` are allowed, not first a `.`",
        );
    }
    let mut making = shop();
    making.derivatives.push(making.derivatives[0].clone());
    making.is_refused(
        "two parts of the image are to lie at /opt/derivatives/sklearn-python3_13",
        "give one of them another name",
    );
}

#[test]
fn a_link_in_a_derivative() {
    let making = Making::new().derivative("sklearn", &[("six.py", "")]);
    let link = making.home.path().join("trees/sklearn/passwd.py");
    symlink("/etc/passwd", &link).unwrap();
    let error = making.image().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot read {}: a link, which an image does not take over", link.display())
    );
    fs::remove_file(link).unwrap();
    making.image().unwrap();
}
