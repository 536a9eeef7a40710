//! Wheels and source distributions made by hand.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::write::SimpleFileOptions;

use super::uv::python;

/// A wheel: a zip of files with metadata and a record.
pub(crate) struct Wheel {
    name: &'static str,
    version: &'static str,
    tag: String,
    requires: Vec<&'static str>,
    files: Vec<(String, Vec<u8>)>,
}

impl Wheel {
    /// A wheel for every platform.
    pub(crate) fn pure(name: &'static str, version: &'static str) -> Self {
        Self { name, version, tag: "py3-none-any".into(), requires: Vec::new(), files: Vec::new() }
    }

    /// A wheel with one module of its name.
    pub(crate) fn module(name: &'static str, version: &'static str) -> Self {
        Self::pure(name, version).file(&format!("{name}/__init__.py"), format!("VERSION = {version:?}\n"))
    }

    /// For one platform, such as `manylinux_2_17_x86_64`.
    pub(crate) fn on(mut self, platform: &str) -> Self {
        self.tag = format!("py3-none-{platform}");
        self
    }

    pub(crate) fn requires(mut self, requirement: &'static str) -> Self {
        self.requires.push(requirement);
        self
    }

    pub(crate) fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((name.to_owned(), content.as_ref().to_owned()));
        self
    }

    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let Self { name, version, tag, .. } = self;
        let info = format!("{name}-{version}.dist-info");
        let requires: String = self.requires.iter().map(|one| format!("Requires-Dist: {one}\n")).collect();
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}");
        let wheel = format!("Wheel-Version: 1.0\nGenerator: mdo\nRoot-Is-Purelib: true\nTag: {tag}\n");
        let mut files = self.files.clone();
        files.push((format!("{info}/METADATA"), metadata.into_bytes()));
        files.push((format!("{info}/WHEEL"), wheel.into_bytes()));
        let record: String = files.iter().map(|(name, _)| format!("{name},,\n")).collect();
        files.push((format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n").into_bytes()));

        fs::create_dir_all(folder).unwrap();
        let path = folder.join(format!("{name}-{version}-{tag}.whl"));
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in files {
            zip.start_file(name, SimpleFileOptions::default().compression_level(Some(1))).unwrap();
            zip.write_all(&content).unwrap();
        }
        zip.finish().unwrap();
        path
    }
}

/// An index of the wheels of a folder, as files, which tells their hashes; gives its address. A folder of wheels alone tells none.
pub(crate) fn index(wheels: &Path) -> String {
    let index = wheels.with_file_name("index");
    let _ = fs::remove_dir_all(&index);
    for wheel in fs::read_dir(wheels).unwrap() {
        let wheel = wheel.unwrap().path();
        let name = wheel.file_name().unwrap().to_str().unwrap();
        let sha256 = mdo_model::Sha256::of(&fs::read(&wheel).unwrap());
        let package = index.join(name.split('-').next().unwrap());
        fs::create_dir_all(&package).unwrap();
        let mut page = File::options().create(true).append(true).open(package.join("index.html")).unwrap();
        writeln!(page, "<a href=\"file://{}#sha256={sha256}\">{name}</a>", wheel.display()).unwrap();
    }
    format!("file://{}", index.display())
}

/// A source distribution whose build backend is in it, so that building it needs nothing else.
///
/// `native` makes the wheel as a careless backend would: with a library of the machine that builds.
pub(crate) fn source_distribution(folder: &Path, name: &str, version: &str, native: bool) {
    let stem = format!("{name}-{version}");
    let root = folder.join(format!("{stem}-source")).join(&stem);
    fs::create_dir_all(&root).unwrap();
    let library = if native { format!("z.write(sys.executable, '{name}/native.so')") } else { String::new() };
    let backend = format!(
        r#"
import sys, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    wheel = '{stem}-py3-none-any.whl'
    with zipfile.ZipFile(folder + '/' + wheel, 'w') as z:
        z.writestr('{name}/__init__.py', '')
        {library}
        z.writestr('{stem}.dist-info/METADATA', 'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
        z.writestr('{stem}.dist-info/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        names = z.namelist() + ['{stem}.dist-info/RECORD']
        z.writestr('{stem}.dist-info/RECORD', ''.join(n + ',,\n' for n in names))
    return wheel
"#
    );
    let settings = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
    let project = format!("[project]\nname = {name:?}\nversion = {version:?}\n");
    fs::write(root.join("backend.py"), backend).unwrap();
    fs::write(root.join("pyproject.toml"), format!("{settings}{project}")).unwrap();
    let metadata = format!("Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n");
    fs::write(root.join("PKG-INFO"), metadata).unwrap();
    let script =
        "import sys, tarfile\nwith tarfile.open(sys.argv[1], 'w:gz') as t: t.add(sys.argv[2], sys.argv[3])";
    let made = Command::new(&python().program)
        .args(["-c", script])
        .arg(folder.join(format!("{stem}.tar.gz")))
        .arg(&root)
        .arg(&stem)
        .status()
        .unwrap();
    assert!(made.success());
    fs::remove_dir_all(root.parent().unwrap()).unwrap();
}
