//! Opening a zip of packages that somebody else has built.

use std::fs::{self, File};
use std::io::Write;
use std::sync::atomic::AtomicBool;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_package::UnpackError;
use mdo_package::derivative::{self, Built, DerivativeError, Packing, Prebuilt};
use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::project::names;
use crate::elf::{AARCH64, Elf, X86_64};

/// A zip beside a cache.
struct Foreign {
    home: TempDir,
    prebuilt: Prebuilt,
}

impl Foreign {
    fn with(entries: &[(&str, &[u8])]) -> Self {
        Self::written(|zip| {
            for (name, content) in entries {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(content).unwrap();
            }
        })
    }

    fn written(write: impl FnOnce(&mut zip::ZipWriter<File>)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("sklearn_numpy_scipy.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        write(&mut zip);
        zip.finish().unwrap();
        let prebuilt = Prebuilt {
            name: "sklearn".into(),
            zip: path,
            pinned: None,
            runtime: "python3.13".parse().unwrap(),
            architecture: Architecture::X86_64,
            exclude: Vec::new(),
        };
        Self { home, prebuilt }
    }

    /// Puts other bytes in the place of the first ones that are the same, as no zip writer would.
    fn forged(self, from: &[u8], to: &[u8], times: usize) -> Self {
        let mut bytes = fs::read(&self.prebuilt.zip).unwrap();
        for _ in 0..times {
            let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
            bytes[at..at + from.len()].copy_from_slice(to);
        }
        fs::write(&self.prebuilt.zip, bytes).unwrap();
        self
    }

    fn open(&self) -> Result<Built, DerivativeError> {
        let cache = self.home.path().join("cache");
        derivative::open(&self.prebuilt, &cache, Packing::OneZip, &AtomicBool::new(false), &mut |_| {})
    }

    fn refused(&self, error: &str) {
        let found = self.open().unwrap_err().to_string();
        assert_eq!(found.replace(&self.home.path().display().to_string(), "~"), error);
        let left = fs::read_dir(self.home.path().join("cache")).into_iter().flatten().count();
        assert_eq!(left, 0, "nothing is left");
    }
}

#[test]
fn takes_packages_at_the_root_or_below_python_to_the_same_zip() {
    let contents: [&[u8]; 2] = [b"VERSION = 1\n", b"import numpy\n"];
    let root = Foreign::with(&[("numpy/__init__.py", contents[0]), ("sklearn.py", contents[1])]);
    let layer =
        Foreign::with(&[("python/sklearn.py", contents[1]), ("python/numpy/__init__.py", contents[0])]);
    let deep = Foreign::with(&[
        ("python/lib/python3.13/site-packages/sklearn.py", contents[1]),
        ("python/lib/python3.13/site-packages/numpy/__init__.py", contents[0]),
    ]);
    let built = root.open().unwrap();
    assert_eq!(names(&built.tree), ["numpy/__init__.py", "sklearn.py"]);
    assert_eq!(built.modules, ["numpy", "sklearn"]);
    assert_eq!(layer.open().unwrap().parts[0].sha256, built.parts[0].sha256);
    assert_eq!(deep.open().unwrap().parts[0].sha256, built.parts[0].sha256);
    let zip = zip::ZipArchive::new(File::open(&built.parts[0].path).unwrap()).unwrap();
    let entries: Vec<_> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(entries, ["python/numpy/__init__.py", "python/sklearn.py"]);
}

#[test]
fn drops_what_systems_leave_and_bytecode_that_would_be_stale() {
    let unchecked = [&[0xf3, 0x0d, 0x0d, 0x0a, 1, 0, 0, 0][..], &[0; 8]].concat();
    let by_time = [&[0xf3, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0][..], &[0; 8]].concat();
    let foreign = Foreign::with(&[
        ("__MACOSX/python/._a.py", b""),
        ("python/.DS_Store", b""),
        ("python/._a.py", b""),
        ("python/a.py", b""),
        ("python/b.py", b""),
        ("python/__pycache__/a.cpython-313.pyc", &unchecked),
        ("python/__pycache__/a.cpython-312.pyc", &unchecked),
        ("python/__pycache__/b.cpython-313.pyc", &by_time),
    ]);
    assert_eq!(names(&foreign.open().unwrap().tree), ["__pycache__/a.cpython-313.pyc", "a.py", "b.py"]);
}

#[test]
fn leaves_out_what_is_excluded() {
    let mut foreign = Foreign::with(&[("a/__init__.py", b""), ("a/tests/test_a.py", b"")]);
    foreign.prebuilt.exclude = vec!["**/tests/**".into()];
    assert_eq!(names(&foreign.open().unwrap().tree), ["a/__init__.py"]);
}

#[test]
fn warns_of_patterns_that_leave_nothing_out() {
    let mut foreign = Foreign::with(&[("a/__init__.py", b""), ("a/tests/test_a.py", b"")]);
    let of_use = ["tests/", "**/tests/**", "*_a.py", "!a/tests/test_a.py"];
    let idle = ["[", "!__init__.py", "../a", "", "nomatch/**", "./a", "a/*.pyi"];
    foreign.prebuilt.exclude = of_use.into_iter().chain(idle).map(str::to_owned).collect();
    let named = idle.map(|pattern| format!("`{pattern}` in `exclude` has no effect"));

    assert_eq!(foreign.open().unwrap().warnings, named);
}

#[test]
fn has_to_be_the_zip_that_was_pinned() {
    let mut foreign = Foreign::with(&[("a.py", b"")]);
    let sha256 = Sha256::of(&fs::read(&foreign.prebuilt.zip).unwrap());
    foreign.prebuilt.pinned = Some(sha256);
    let built = foreign.open().unwrap();
    let cache = foreign.home.path().join("cache");
    assert_eq!(
        derivative::cached_prebuilt(&foreign.prebuilt, sha256, &cache, Packing::OneZip).unwrap(),
        built
    );
    fs::write(&foreign.prebuilt.zip, "another").unwrap();
    for error in [foreign.open().unwrap_err(), foreign.prebuilt.sha256().unwrap_err()] {
        assert_eq!(
            error.to_string(),
            format!(
                "derivative sklearn: the sha256 of {} is {}, project.toml says {sha256}",
                foreign.prebuilt.zip.display(),
                Sha256::of(b"another")
            )
        );
        assert_eq!(error.help().unwrap(), "if you trust the new one: mdo derivative pin sklearn");
    }
}

#[test]
fn refuses_links() {
    Foreign::written(|zip| zip.add_symlink("numpy", "/etc", SimpleFileOptions::default()).unwrap())
        .refused("derivative sklearn: ~/sklearn_numpy_scipy.zip holds `numpy`, which is a link");
}

#[test]
fn refuses_names_that_lead_elsewhere() {
    for name in ["../evil.py", "/evil.py", "a/../../evil.py", "a\\..\\evil.py"] {
        Foreign::with(&[(name, b"")]).refused(&format!(
            "derivative sklearn: ~/sklearn_numpy_scipy.zip holds `{name}`, which would lie outside the folder"
        ));
    }
}

#[test]
fn refuses_duplicates() {
    Foreign::with(&[("a1.py", b"one"), ("a2.py", b"two")])
        .forged(b"a2.py", b"a1.py", 2)
        .refused("derivative sklearn: ~/sklearn_numpy_scipy.zip holds two files of the same name");
}

#[test]
fn refuses_a_bomb_while_it_unpacks() {
    let bomb = Foreign::written(|zip| {
        let zeros = vec![0; 1024 * 1024];
        zip.start_file("bomb", SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
            .unwrap();
        for _ in 0..251 {
            zip.write_all(&zeros).unwrap();
        }
    });
    bomb.refused(
        "derivative sklearn: ~/sklearn_numpy_scipy.zip holds `bomb`, which makes the package larger than Lambda's 250 MB",
    );
}

#[test]
fn refuses_more_entries_than_packages_have() {
    let foreign = Foreign::written(|zip| {
        for at in 0..50_001 {
            zip.start_file(format!("{at}.py"), SimpleFileOptions::default()).unwrap();
        }
    });
    foreign.refused(
        "derivative sklearn: ~/sklearn_numpy_scipy.zip holds 50001 entries, and mdo unpacks at most 50000",
    );
}

#[test]
fn refuses_what_is_no_zip_and_what_is_not_there() {
    let mut foreign = Foreign::with(&[("a.py", b"")]);
    fs::write(&foreign.prebuilt.zip, "no zip").unwrap();
    let error = foreign.open().unwrap_err();
    assert!(
        error.to_string().starts_with("derivative sklearn: ")
            && error.to_string().contains("is not a readable zip"),
        "{error}"
    );
    assert_eq!(error.help().unwrap(), "make the zip again, or fetch it again");
    fs::remove_file(&foreign.prebuilt.zip).unwrap();
    foreign.refused(
        "derivative sklearn: cannot read ~/sklearn_numpy_scipy.zip: No such file or directory (os error 2)",
    );
    foreign.prebuilt.pinned = Some(Sha256::of(b"what was there"));
    let error = foreign.prebuilt.sha256().unwrap_err().relative_to(foreign.home.path());
    assert_eq!(
        error.to_string(),
        "derivative sklearn: cannot read sklearn_numpy_scipy.zip: No such file or directory (os error 2)"
    );
    assert_eq!(error.help().unwrap(), "correct `zip` under `[derivatives.sklearn]` in project.toml");
}

#[test]
fn refuses_what_functions_would_not_find() {
    let foreign = Foreign::with(&[("python/a.py", b""), ("lib/libgomp.so.1", b"")]);
    foreign.refused(
        "derivative sklearn: the zip holds lib/libgomp.so.1 beside python/, which functions would not find",
    );
    assert_eq!(
        foreign.open().unwrap_err().help().unwrap(),
        "put the packages into python/, or all of them at the root of the zip"
    );
}

#[test]
fn refuses_a_zip_without_packages() {
    for entries in [&[][..], &[("__MACOSX/._six.py", &b""[..])]] {
        let foreign = Foreign::with(entries);
        foreign.refused("derivative sklearn: the zip holds no file of a package");
        assert_eq!(
            foreign.open().unwrap_err().help().unwrap(),
            "make the zip again, or leave less out with `exclude`"
        );
    }
}

#[test]
fn refuses_what_is_a_file_and_a_folder() {
    let zip = "derivative sklearn: ~/sklearn_numpy_scipy.zip holds";
    Foreign::with(&[("six.py", b""), ("six.py/x", b"")])
        .refused(&format!("{zip} `six.py/x`, which lies below a file"));
    Foreign::with(&[("six.py/x", b""), ("six.py", b"")])
        .refused(&format!("{zip} `six.py`, which is a file and a folder"));
    Foreign::written(|zip| {
        zip.start_file("six.py", SimpleFileOptions::default()).unwrap();
        zip.add_directory("six.py/x", SimpleFileOptions::default()).unwrap();
    })
    .refused(&format!("{zip} `six.py/x/`, which is a folder in the place of a file"));
}

#[test]
fn says_why_a_file_cannot_be_unpacked() {
    let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let source = UnpackError::Write { path: "six.py".into(), source };
    assert_eq!(
        DerivativeError::Unpack { name: "sklearn".into(), source }.to_string(),
        "derivative sklearn: cannot write six.py: permission denied"
    );
}

#[test]
fn takes_the_packages_of_a_virtual_environment() {
    let foreign = Foreign::with(&[("lib/python3.13/site-packages/six.py", b"")]);
    assert_eq!(names(&foreign.open().unwrap().tree), ["six.py"]);
}

#[test]
fn refuses_the_packages_of_another_python() {
    let own = ("python/lib/python3.13/site-packages/six.py", &b""[..]);
    for folder in ["python/lib/python3.12/site-packages", "lib/python3.12/site-packages"] {
        let file = format!("{folder}/six.py");
        for entries in [vec![(file.as_str(), &b""[..])], vec![own, (file.as_str(), b"")]] {
            let foreign = Foreign::with(&entries);
            foreign.refused(&format!(
                "derivative sklearn: the zip holds {folder}, where python3.13 does not look"
            ));
            assert_eq!(
                foreign.open().unwrap_err().help().unwrap(),
                "use a zip that was made for python3.13, or change the function's \"runtime\""
            );
        }
    }
}

#[test]
fn warns_of_what_brings_no_module() {
    let nothing = ["brings nothing that a function can import"];
    for file in ["six-1.17.0.dist-info/METADATA", "python/data.json", "six-master/six.py", "bin2.0/six.py"] {
        assert_eq!(Foreign::with(&[(file, b"")]).open().unwrap().warnings, nothing, "{file}");
    }
    for file in ["six.py", "google/auth/transport.py", "python/_x.cpython-313-x86_64-linux-gnu.so"] {
        let content = Elf::program(X86_64).bytes();
        assert_eq!(Foreign::with(&[(file, &content)]).open().unwrap().warnings, [""; 0], "{file}");
    }
}

#[test]
fn checks_native_files_as_those_of_a_build() {
    let foreign = Foreign::with(&[("python/a.abi3.so", &Elf::program(AARCH64).bytes())]);
    foreign.refused("derivative sklearn: a.abi3.so is built for aarch64, the function runs on x86_64");
}
