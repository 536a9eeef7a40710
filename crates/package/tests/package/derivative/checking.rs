//! What keeps a derivative from working on Lambda, found before anything is uploaded.

use std::path::PathBuf;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_package::derivative::{
    self, Built, DerivativeError, Distribution, MostUnzipped, PythonRuntime, check_total, hidden_modules,
    slow_imports,
};

use super::project::Project;
use super::wheel::Wheel;
use crate::elf::{AARCH64, Elf, X86_64};

const SOURCE_HELP: &str = "take a package that was built on this machine out of `source`, use a prebuilt zip that was made \
                           for x86_64, or name files that nobody loads in `exclude`";

/// A project whose only package has these files.
fn package(files: &[(&str, Vec<u8>)]) -> Project {
    let wheel =
        files.iter().fold(Wheel::pure("fast", "1.0"), |wheel, (name, content)| wheel.file(name, content));
    Project::new().wheel(wheel).wants("fast\n").locked()
}

fn library() -> Elf {
    Elf::program(X86_64)
}

#[test]
fn names_files_for_another_processor() {
    let foreign = || Elf::program(AARCH64).bytes();
    package(&[("fast/one.so", foreign())]).refused(
        "derivative sklearn: fast/one.so is built for aarch64, the function runs on x86_64",
        SOURCE_HELP,
    );
    package(&[("fast/one.so", foreign()), ("fast/three.so", foreign()), ("fast/two.so", foreign())]).refused(
        "derivative sklearn: fast/one.so and 2 other files are built for aarch64, the function runs on x86_64",
        SOURCE_HELP,
    );
}

#[test]
fn names_files_for_another_system() {
    let help = "name them in `exclude` if nobody imports them, or use a zip that was made for Linux";
    package(&[("fast/core.so", b"\xcf\xfa\xed\xfe".to_vec())])
        .refused("derivative sklearn: fast/core.so is not for Linux: a macOS program", help);
    let built =
        package(&[("fast/__init__.py", Vec::new()), ("fast/core.pyd", b"MZ\x90".to_vec())]).build().unwrap();
    assert_eq!(built.warnings, ["fast/core.pyd is not for Linux: a Windows program"]);
}

#[test]
fn names_files_for_another_python() {
    let project = package(&[
        ("fast/a.cpython-39-x86_64-linux-gnu.so", library().bytes()),
        ("fast/b.abi3.so", library().bytes()),
        ("fast/c.so", library().bytes()),
    ]);
    project.refused(
        "derivative sklearn: fast/a.cpython-39-x86_64-linux-gnu.so is built for cpython-39, the runtime is python3.X",
        &format!(
            "use a zip that was made for {}, or change the function's \"runtime\"",
            project.recipe.runtime
        ),
    );
}

#[test]
fn takes_files_for_this_python() {
    let name = format!("fast/a.cpython-3{}-x86_64-linux-gnu.so", super::uv::python().runtime.minor());
    package(&[(&name, library().bytes())]).build().unwrap();
}

#[test]
fn names_what_needs_a_newer_library_than_the_runtime_has() {
    let help = "take a package that was built on this machine out of `source`, or pin an older version that has a wheel";
    let needing = |library, version| Elf::program(X86_64).needing(library).version(library, version).bytes();
    package(&[("fast/core.so", needing("libc.so.6", "GLIBC_2.38"))])
        .refused("derivative sklearn: fast/core.so needs GLIBC_2.38, python3.X has GLIBC_2.34", help);
    package(&[("fast/core.so", needing("libstdc++.so.6", "GLIBCXX_3.4.30"))])
        .refused("derivative sklearn: fast/core.so needs GLIBCXX_3.4.30, python3.X has GLIBCXX_3.4.29", help);
    package(&[("fast/core.so", needing("libc.so.6", "GLIBC_2.34"))]).build().unwrap();
    // Its own libstdc++ may be newer.
    let own = "libstdc++-ab12.so.6";
    package(&[
        ("fast/core.so", needing(own, "GLIBCXX_3.4.30")),
        ("fast.libs/libstdc++-ab12.so.6", library().bytes()),
    ])
    .build()
    .unwrap();
}

#[test]
fn knows_that_python_3_11_has_an_older_glibc() {
    let elf = library().needing("libc.so.6").version("libc.so.6", "GLIBC_2.28").bytes();
    let mut project = package(&[("fast/core.so", elf)]);
    project.recipe.runtime = "python3.11".parse().unwrap();
    project.recipe.bytecode = false;
    let error = project.build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "derivative sklearn: fast/core.so needs GLIBC_2.28, python3.11 has GLIBC_2.26"
    );
}

#[test]
fn warns_of_libraries_that_neither_the_runtime_nor_the_derivative_has() {
    let core = library()
        .needing("libc.so.6")
        .needing("libblas.so.3")
        .needing("libtbb.so.12")
        .looking_in("$ORIGIN/../fast.libs");
    let project = package(&[("fast/core.so", core.bytes()), ("fast.libs/libblas.so.3", library().bytes())]);
    let built = project.build().unwrap();
    assert_eq!(
        built.warnings,
        [format!(
            "fast/core.so needs libtbb.so.12, which neither {} nor the derivative has",
            project.recipe.runtime
        )]
    );
    assert_eq!(
        project.build().unwrap().warnings,
        built.warnings,
        "a build that is found again warns as well"
    );
}

#[test]
fn names_a_damaged_file() {
    let mut bytes = library().needing("libc.so.6").bytes();
    bytes.truncate(300);
    let error = package(&[("fast/core.so", bytes)]).build().unwrap_err();
    assert!(
        error.to_string().starts_with("derivative sklearn: fast/core.so is a damaged ELF file: "),
        "{error}"
    );
}

#[test]
fn reports_all_its_problems_at_once() {
    let project = package(&[
        ("fast/a.so", Elf::program(AARCH64).bytes()),
        ("fast/b.cpython-39-x86_64-linux-gnu.so", library().bytes()),
    ]);
    let error = project.build().unwrap_err();
    assert_eq!(error.problems().len(), 2);
    assert_eq!(error.help().unwrap().lines().count(), 2);
}

#[test]
fn refuses_an_empty_one() {
    let mut project = Project::new().wants("# nothing yet\n").locked();
    project.recipe.bytecode = false;
    project.refused(
        "derivative sklearn: holds no file",
        "name a package in requirements.in, or leave less out with `exclude`",
    );
}

#[test]
fn names_the_five_largest_of_what_is_too_large() {
    let sizes = [("a", 60), ("b", 50), ("c", 40), ("d", 30), ("e", 50), ("f", 31)];
    let mut project = Project::new();
    for (name, megabytes) in sizes {
        let zeros = vec![0; megabytes * 1024 * 1024];
        project = project.wheel(Wheel::pure(name, "1.0").file(&format!("{name}/data"), zeros));
    }
    let mut project = project.wants("a\nb\nc\nd\ne\nf\n").locked();
    project.recipe.bytecode = false;
    project.refused(
        "derivative sklearn: 261.0 MB unzipped, over Lambda's 250.0 MB; largest: a 60.0 MB, b 50.0 MB, e 50.0 MB, c 40.0 MB, f \
         31.0 MB",
        "want fewer packages, or leave files out with `exclude` in project.toml",
    );
}

fn built(distributions: &[(&str, u64)]) -> Built {
    let distributions: Vec<_> = distributions
        .iter()
        .map(|(name, size)| Distribution { name: (*name).into(), version: "1".into(), raw_size: *size })
        .collect();
    Built {
        inputs: Sha256::of(b""),
        tree: PathBuf::new(),
        parts: Vec::new(),
        raw_size: distributions.iter().map(|one| one.raw_size).sum(),
        modules: distributions.iter().map(|one| one.name.clone()).collect(),
        distributions,
        warnings: Vec::new(),
    }
}

#[test]
fn counts_the_function_with_its_derivatives() {
    let limit = 250 * 1024 * 1024;
    let derivative = built(&[("numpy", 10), ("scipy", limit - 110)]);
    let with = |unzipped| {
        let (function, derivatives) = ("sample", &[&derivative][..]);
        check_total(&MostUnzipped { function, unzipped, derivatives, elsewhere: &[] })
    };
    assert_eq!(with(100), Ok(()));
    assert_eq!(
        with(101).unwrap_err().to_string(),
        "250.0 MB unzipped, over Lambda's 250.0 MB; largest: scipy 250.0 MB, function sample 101 bytes, numpy 10 bytes"
    );
}

#[test]
fn counts_derivatives_that_are_elsewhere_by_their_names() {
    let limit = 250 * 1024 * 1024;
    let derivative = built(&[("numpy", 10)]);
    let with = |elsewhere: &[(&str, u64)]| {
        let (function, derivatives) = ("sample", &[&derivative][..]);
        check_total(&MostUnzipped { function, unzipped: 100, derivatives, elsewhere })
    };
    assert_eq!(with(&[("scipy", limit - 110)]), Ok(()));
    assert_eq!(
        with(&[("scipy", limit - 110), ("docopt", 2)]).unwrap_err().to_string(),
        "250.0 MB unzipped, over Lambda's 250.0 MB; largest: derivative scipy 250.0 MB, function sample 100 bytes, \
         numpy 10 bytes, derivative docopt 2 bytes"
    );
}

#[test]
fn warns_of_a_module_of_the_function_that_hides_one() {
    let files = ["sample.py", "numpy.py", "scipy/__init__.py", "scipy/x.py", "sklearn/data.csv", "numpy.txt"];
    let problems = hidden_modules(files, &built(&[("numpy", 1), ("scipy", 1), ("sklearn", 1)]));
    let texts: Vec<_> = problems.iter().map(|one| format!("{one}: {}", one.help())).collect();
    assert_eq!(
        texts,
        [
            "numpy.py hides the derivative's numpy: Python finds the function's own first: rename numpy.py",
            "scipy/ hides the derivative's scipy: Python finds the function's own first: rename scipy/",
        ]
    );
}

#[test]
fn warns_of_little_memory_for_much_to_import() {
    let (large, small) = (built(&[("scipy", 101 * 1024 * 1024)]), built(&[("six", 1024)]));
    assert_eq!(slow_imports(256, &[&large]), None);
    assert_eq!(slow_imports(128, &[&small]), None);
    let problem = slow_imports(128, &[&small, &large]).unwrap();
    assert_eq!(
        problem.to_string(),
        "101.0 MB of derivatives at 128 MB of memory: importing them may take longer than the 10 s of a start"
    );
    assert_eq!(problem.help(), "set \"memory\": 256 or more");
}

#[test]
fn knows_the_runtimes_of_python() {
    assert_eq!("python3.13".parse::<PythonRuntime>().unwrap().version(), "3.13");
    for wrong in ["python3.10", "python3.16", "python3.013", "3.13", "provided.al2023"] {
        assert_eq!(
            wrong.parse::<PythonRuntime>().unwrap_err().to_string(),
            format!("mdo builds derivatives for python3.11 to python3.15, not for `{wrong}`")
        );
    }
    assert!(!derivative::runs_here(Architecture::X86_64) || !derivative::runs_here(Architecture::Arm64));
    assert!(DerivativeError::NoUv.problems().is_empty());
}
