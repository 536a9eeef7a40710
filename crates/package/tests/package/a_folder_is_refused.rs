//! Folders that make no package.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;

use mdo_model::quotas::UNZIPPED_LIMIT;

use super::function::Function;

#[test]
fn with_a_link_that_leads_nowhere() {
    Function::ready()
        .link("gone", "nowhere")
        .refused("gone is a link to nowhere, which does not exist", "remove it, or name it in .mdoignore");
}

#[test]
fn with_a_link_that_leaves_it() {
    Function::ready().link("passwords", "/etc/passwd").refused(
        "passwords is a link to /etc/passwd, outside the function's folder",
        "copy what it points at into the folder, for instance in the build hook",
    );
}

#[test]
fn with_links_that_go_round() {
    let function = Function::ready().file("data/a", "").link("data/up", "..").link("self", "self");
    let problems: Vec<_> = function.problems().into_iter().map(|(problem, _)| problem).collect();
    assert_eq!(problems.len(), 2);
    assert!(problems.contains(&"data/up is a link to .., which leads back to itself".to_owned()));
    assert!(problems.contains(&"self is a link to self, which leads back to itself".to_owned()));
}

#[test]
fn but_not_for_links_that_are_ignored() {
    let function = Function::ready().link("gone", "nowhere").file(".mdoignore", "gone\n");
    assert_eq!(function.names(), ["bootstrap"]);
}

#[test]
fn with_a_name_that_is_not_utf8() {
    let function = Function::ready();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(function.folder().join(name), "").unwrap();
    function.refused("the name of caf\u{fffd} is not UTF-8", "rename it, or name it in .mdoignore");
}

#[test]
fn with_a_socket() {
    let function = Function::ready();
    let _listening = std::os::unix::net::UnixListener::bind(function.folder().join("s")).unwrap();
    function.refused("s is neither a file nor a folder", "remove it, or name it in .mdoignore");
}

#[test]
fn when_there_is_nothing_in_it() {
    let mut function = Function::python("main.handle").file("function.json", "{}");
    function.refused(
        "nothing to package: the folder holds no file that belongs in the zip",
        "put the function's code in the folder, or set a build hook that makes it",
    );
    function.runtime = "provided.al2023";
    assert_eq!(function.problems().len(), 2);
}

#[test]
fn when_it_is_not_there() {
    let function = Function::empty();
    fs::remove_dir(function.folder()).unwrap();
    let error = function.package().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("function sample_producer: cannot read {}", function.folder().display())
    );
}

#[test]
fn when_it_is_over_250_mb_unzipped() {
    let function = Function::ready().file("data/models/small", "small");
    for (name, size) in [("data/models/large", UNZIPPED_LIMIT), ("vendor", 1024 * 1024)] {
        File::create(function.folder().join(name)).unwrap().set_len(size).unwrap();
    }
    function.refused(
        "the package is 251.0 MB unzipped, over Lambda's 250.0 MB; \
             largest: data/models/ 250.0 MB, vendor 1.0 MB, bootstrap 400 bytes",
        "name what the function does not need at run time in .mdoignore",
    );
}
