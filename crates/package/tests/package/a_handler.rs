//! How the handlers of managed runtimes are found.

use mdo_package::Problem;

use super::elf::{AARCH64, Elf, X86_64};
use super::function::Function;

#[test]
fn is_found_as_its_runtime_finds_it() {
    for (runtime, handler, file) in [
        ("python3.13", "main.handle", "main.py"),
        ("python3.13", "api.main.handle", "api/main.py"),
        ("python3.13", "api/main.handle", "api/main.py"),
        ("python3.13", "api.handle", "api/__init__.py"),
        ("python3.13", "fast.handle", "fast.cpython-313-x86_64-linux-gnu.so"),
        ("nodejs22.x", "index.handler", "index.mjs"),
        ("nodejs22.x", "src/index.a.b", "src/index.js"),
        ("ruby3.4", "app.Api.handle", "app.rb"),
        ("java21", "com.example.Api::handle", "com/example/Api.class"),
        ("java21", "com.example.Api::handle", "lib/api.jar"),
        ("dotnet8", "Api::Api.Function::Handle", "Api.dll"),
        ("someday1.x", "anything", "anything"),
    ] {
        let mut function = Function::empty().file(file, Elf::program(X86_64).bytes()).runtime(runtime);
        function.handler = handler;
        assert_eq!(function.names(), [file], "{handler}");
    }
}

#[test]
fn must_name_a_file_that_is_there() {
    let function = Function::python("main.handle").file("app.py", "");
    function.refused(
        "handler `main.handle` needs main.py or main/__init__.py, which the package does not have",
        "there is app.py: name it in \"handler\"",
    );
    assert_eq!(function.package().unwrap_err().problems()[0].key(), Some("handler"));
}

#[test]
fn must_be_written_as_its_runtime_reads_it() {
    let function = Function::python("handle").file("handle.py", "");
    function.refused("handler `handle` is not of the form module.function", "change \"handler\"");
    assert!(matches!(
        function.package().unwrap_err().problems(),
        [Problem::HandlerMalformed { key: "handler", .. }]
    ));
}

#[test]
fn of_python_comes_with_native_files_that_it_can_load() {
    let help = "let mdo build the package for Lambda: mdo derivative create NAME PACKAGE, and remove it from the folder";
    let function = || Function::python("sample.handle").file("sample.py", "");
    function()
        .file("fast/core.so", Elf::program(AARCH64).bytes())
        .refused("fast/core.so is built for aarch64, the function runs on x86_64", help);
    function().file("fast/core.cpython-39-x86_64-linux-gnu.so", Elf::program(X86_64).bytes()).refused(
        "fast/core.cpython-39-x86_64-linux-gnu.so is built for cpython-39, the runtime is python3.13",
        help,
    );
    let needing = Elf::program(X86_64).needing("libtbb.so.12").bytes();
    assert_eq!(
        function().file("fast/core.so", needing).package().unwrap().warnings,
        ["fast/core.so needs libtbb.so.12, which neither python3.13 nor the package has"]
    );
}
