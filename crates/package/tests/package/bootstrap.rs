//! What a bootstrap has to be to start on Lambda.

use super::elf::{AARCH64, Elf, GLIBC_LOADER, X86_64};
use super::function::Function;

#[test]
fn must_be_there() {
    Function::empty().file("main.rs", "").refused(
        "there is no bootstrap at the root of the folder",
        "copy the executable to ./bootstrap, or set a build hook that does",
    );
}

#[test]
fn is_pointed_out_where_it_hides() {
    Function::empty().executable("target/lambda/bootstrap", "").file("bootstrap.sh", "").refused(
        "there is no bootstrap at the root of the folder",
        "there is bootstrap.sh, target/lambda/bootstrap: copy it to ./bootstrap",
    );
}

#[test]
fn must_be_made_by_the_hook() {
    Function::empty().file("main.rs", "").build_hook("true").refused(
        "the build hook `true` made no bootstrap at the root of the folder",
        "let the hook's last step copy the executable to ./bootstrap",
    );
}

#[test]
fn must_not_be_ignored() {
    Function::ready().file(".mdoignore", "boot*\n").file("data", "").refused(
        "bootstrap is in the folder, but an ignore rule keeps it out of the package",
        "take it out of .mdoignore",
    );
}

#[test]
fn must_be_for_the_declared_architecture() {
    let function = Function::empty().executable("bootstrap", Elf::program(AARCH64).bytes());
    function.refused(
        "bootstrap is built for aarch64, function.json says x86_64",
        "build it for x86_64, or set \"architecture\": \"arm64\"",
    );
    let error = function.package().unwrap_err();
    assert_eq!(
        error.to_string(),
        "function sample_producer: bootstrap is built for aarch64, function.json says x86_64"
    );
    assert_eq!(error.problems()[0].key(), Some("architecture"));
    assert_eq!(error.problems()[0].file(), Some("bootstrap"));
    assert_eq!(function.for_arm().names(), ["bootstrap"]);

    Function::ready().for_arm().refused(
        "bootstrap is built for x86_64, function.json says arm64",
        "build it for arm64, or set \"architecture\": \"x86_64\"",
    );
    Function::empty()
        .executable("bootstrap", Elf::program(243).bytes())
        .refused("bootstrap is built for riscv64, function.json says x86_64", "build it for x86_64");
}

#[test]
fn must_be_executable() {
    Function::empty()
        .file("bootstrap", Elf::program(X86_64).bytes())
        .refused("bootstrap is not executable", "chmod +x bootstrap");
}

#[test]
fn must_be_a_linux_program() {
    for (content, found) in [
        (&b"\xcf\xfa\xed\xfe"[..], "a macOS program"),
        (b"MZ\x90", "a Windows program"),
        (b"", "an empty file"),
        (b"hello", "neither an ELF file nor a #! script"),
    ] {
        Function::empty().executable("bootstrap", content).refused(
            &format!("bootstrap is not a Linux executable: {found}"),
            "build bootstrap for Linux, or start it with a line such as #!/bin/sh",
        );
    }
}

#[test]
fn reports_all_its_problems_at_once() {
    let function = Function::empty().file("bootstrap", Elf::program(AARCH64).bytes()).link("gone", "nowhere");
    let error = function.package().unwrap_err();
    assert_eq!(
        error.to_string(),
        "function sample_producer: gone is a link to nowhere, which does not exist; \
             bootstrap is not executable; bootstrap is built for aarch64, function.json says x86_64"
    );
    assert_eq!(error.help().unwrap().lines().count(), 3);
}

#[test]
fn may_be_linked_with_what_the_runtime_has() {
    let elf = Elf::program(X86_64)
        .loaded_by(GLIBC_LOADER)
        .needing("libc.so.6")
        .needing("libgcc_s.so.1")
        .needing("ld-linux-x86-64.so.2")
        .needing("libssl.so.3")
        .version("libc.so.6", "GLIBC_2.34")
        .version("libc.so.6", "GLIBC_2.2.5")
        .version("libstdc++.so.6", "GLIBCXX_3.4.29");
    assert_eq!(Function::empty().executable("bootstrap", elf.bytes()).names(), ["bootstrap"]);
}

#[test]
fn must_not_need_a_newer_glibc() {
    let elf = Elf::program(X86_64)
        .loaded_by(GLIBC_LOADER)
        .needing("libc.so.6")
        .version("libc.so.6", "GLIBC_2.38")
        .version("libc.so.6", "GLIBC_2.39")
        .version("libm.so.6", "GLIBC_2.4");
    Function::empty().executable("bootstrap", elf.bytes()).refused(
        "bootstrap needs GLIBC_2.39, provided.al2023 has GLIBC_2.34",
        "build for x86_64-unknown-linux-musl, or for this glibc: \
             cargo zigbuild --target x86_64-unknown-linux-gnu.2.34",
    );
}

#[test]
fn must_not_need_a_newer_glibc_than_its_own_runtimes() {
    let elf = Elf::program(X86_64).loaded_by(GLIBC_LOADER).version("libc.so.6", "GLIBC_2.34");
    let function = Function::empty().executable("bootstrap", elf.bytes());
    assert_eq!(function.names(), ["bootstrap"]);
    let problems = function.runtime("provided.al2").problems();
    assert_eq!(problems[0].0, "bootstrap needs GLIBC_2.34, provided.al2 has GLIBC_2.26");
}

#[test]
fn must_not_use_relocations_that_glibc_does_not_know() {
    let elf = Elf::program(X86_64).loaded_by(GLIBC_LOADER).version("libc.so.6", "GLIBC_ABI_DT_RELR");
    let problems = Function::empty().executable("bootstrap", elf.bytes()).problems();
    assert_eq!(problems[0].0, "bootstrap needs GLIBC_2.36, provided.al2023 has GLIBC_2.34");
}

#[test]
fn must_not_need_a_library_that_nobody_brings() {
    let elf = Elf::program(X86_64).loaded_by(GLIBC_LOADER).needing("libpq.so.5");
    let function = Function::empty().executable("bootstrap", elf.bytes());
    function.refused(
        "bootstrap needs libpq.so.5, which neither provided.al2023 nor the package has",
        "link it statically, or put the library in lib/, where Lambda looks",
    );
    let library = Elf::program(X86_64).needing("libldap.so.2").bytes();
    let function = function.file("lib/libpq.so.5", library);
    assert_eq!(
        function.problems()[0].0,
        "lib/libpq.so.5 needs libldap.so.2, which neither provided.al2023 nor the package has"
    );
    let function = function.file("libldap.so.2", Elf::program(X86_64).bytes());
    assert_eq!(function.names(), ["bootstrap", "lib/libpq.so.5", "libldap.so.2"]);
}

#[test]
fn finds_libraries_where_it_says_it_looks() {
    let elf = Elf::program(X86_64)
        .loaded_by(GLIBC_LOADER)
        .needing("libpq.so.5")
        .looking_in("/opt/pq:$ORIGIN/vendor/../vendor/lib");
    let function = Function::empty()
        .executable("bootstrap", elf.bytes())
        .file("vendor/lib/libpq.so.5", Elf::program(X86_64).bytes());
    assert_eq!(function.names(), ["bootstrap", "vendor/lib/libpq.so.5"]);
}

#[test]
fn must_not_ask_for_musls_loader() {
    let elf = Elf::program(X86_64).loaded_by("/lib/ld-musl-x86_64.so.1").needing("libc.musl-x86_64.so.1");
    Function::empty().executable("bootstrap", elf.bytes()).refused(
        "bootstrap asks for the loader /lib/ld-musl-x86_64.so.1, which provided.al2023 does not have",
        "link it statically (x86_64-unknown-linux-musl with crt-static), or build it against glibc",
    );
}

#[test]
fn must_not_be_damaged() {
    let mut elf = Elf::program(X86_64).bytes();
    elf.truncate(100);
    let problems = Function::empty().executable("bootstrap", elf).problems();
    assert!(problems[0].0.starts_with("bootstrap is a damaged ELF file: "), "{problems:?}");
}

#[test]
fn may_be_a_shell_script_with_a_warning() {
    for (line, shell) in
        [("#!/bin/sh", "/bin/sh"), ("#!/bin/bash -e", "/bin/bash"), ("#!/usr/bin/env bash", "bash")]
    {
        let function = Function::empty().executable("bootstrap", format!("{line}\n./handler\n"));
        let warning = format!(
            "bootstrap is a script for {shell}; it can call only what is in the package or in provided.al2023"
        );
        assert_eq!(function.package().unwrap().warnings, [warning]);
    }
}

#[test]
fn warns_when_its_interpreter_may_be_missing() {
    let function = Function::empty().executable("bootstrap", "#!/usr/bin/env python3\n");
    assert_eq!(
        function.package().unwrap().warnings,
        ["bootstrap is a script for python3, which provided.al2023 may not have; it has sh and bash"]
    );
}

#[test]
fn must_not_end_its_first_line_like_windows() {
    Function::empty().executable("bootstrap", "#!/bin/sh\r\n").refused(
        "the first line of bootstrap ends in CR LF, which Linux takes as part of the interpreter's name",
        "save bootstrap with LF line ends",
    );
}

#[test]
fn may_come_from_a_layer() {
    let function = Function::empty().file("index.php", "").with_layers();
    assert_eq!(
        function.package().unwrap().warnings,
        ["there is no bootstrap at the root of the folder: a layer has to bring it"]
    );
    let mut function = Function::python("datadog_lambda.handler.handler").file("app.py", "").with_layers();
    assert_eq!(
        function.package().unwrap().warnings,
        ["handler `datadog_lambda.handler.handler` needs datadog_lambda/handler.py or \
          datadog_lambda/handler/__init__.py, which the package does not have: a layer has to bring it"]
    );
    function.handler = "handler";
    assert_eq!(function.problems()[0].0, "handler `handler` is not of the form module.function");
}
