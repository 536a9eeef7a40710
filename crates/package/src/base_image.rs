//! What Lambda's OS-only and Python runtimes carry: loaders, libraries, and how new these are.
//!
//! `provided.al2023` is the AL2023 minimal container image (AWS Compute Blog, "Introducing the Amazon Linux 2023
//! runtime for AWS Lambda"): glibc 2.34, GCC 11, OpenSSL 3, libcurl-minimal. `provided.al2` has glibc 2.26 and GCC 7.

use mdo_model::project::Architecture;

use super::derivative::PythonRuntime;

/// A version such as 2.34 or 3.4.29.
pub(super) type Version = [u32; 3];

/// An OS-only runtime.
pub(super) struct BaseImage {
    /// The newest symbol versions that its libraries define, by their prefix.
    versions: [(&'static str, Version); 3],
    libraries: &'static [&'static str],
}

/// What both images carry: glibc's libraries and GCC's run-time libraries.
const COMMON: [&str; 18] = [
    "libc.so.6",
    "libm.so.6",
    "libmvec.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libanl.so.1",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libthread_db.so.1",
    "libBrokenLocale.so.1",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libz.so.1",
    "libcurl.so.4",
    "linux-vdso.so.1",
];

const AL2023: BaseImage = BaseImage {
    versions: [("GLIBC_", [2, 34, 0]), ("GLIBCXX_", [3, 4, 29]), ("CXXABI_", [1, 3, 13])],
    libraries: &["libcrypto.so.3", "libssl.so.3", "libcrypt.so.2"],
};

const AL2: BaseImage = BaseImage {
    versions: [("GLIBC_", [2, 26, 0]), ("GLIBCXX_", [3, 4, 24]), ("CXXABI_", [1, 3, 11])],
    libraries: &["libcrypt.so.1"],
};

/// The image of an OS-only runtime, `None` for a managed one. A runtime newer than this list is taken for AL2023.
pub(super) fn of(runtime: &str) -> Option<&'static BaseImage> {
    match runtime {
        "provided.al2" => Some(&AL2),
        _ if runtime.starts_with("provided") => Some(&AL2023),
        _ => None,
    }
}

/// What the images of the managed Python runtimes have beside the OS-only image that they are made from: Python's own
/// library, and what its standard library is linked with.
const PYTHON_ON_AL2023: BaseImage = BaseImage {
    versions: AL2023.versions,
    libraries: &[
        "libcrypto.so.3",
        "libssl.so.3",
        "libcrypt.so.2",
        "libffi.so.8",
        "libexpat.so.1",
        "libbz2.so.1",
        "liblzma.so.5",
        "libsqlite3.so.0",
        "libuuid.so.1",
    ],
};

const PYTHON_ON_AL2: BaseImage = BaseImage {
    versions: AL2.versions,
    libraries: &[
        "libcrypt.so.1",
        "libffi.so.6",
        "libexpat.so.1",
        "libbz2.so.1",
        "liblzma.so.5",
        "libsqlite3.so.0",
        "libuuid.so.1",
    ],
};

/// The image of a managed Python runtime.
pub(super) fn of_python(runtime: PythonRuntime) -> &'static BaseImage {
    if runtime.is_on_al2() { &PYTHON_ON_AL2 } else { &PYTHON_ON_AL2023 }
}

impl BaseImage {
    /// Whether the image has the shared library that is linked by this name.
    pub(crate) fn has_library(&self, name: &str) -> bool {
        name.starts_with("ld-linux")
            || name.starts_with("libpython3.")
            || COMMON.contains(&name)
            || self.libraries.contains(&name)
    }

    /// If a symbol version such as `GLIBC_2.38` is newer than the image's: its prefix and version, and the image's.
    pub(crate) fn too_new(&self, symbol: &str) -> Option<(&'static str, Version, Version)> {
        let (prefix, has) = *self.versions.iter().find(|(prefix, _)| symbol.starts_with(prefix))?;
        let needs = match symbol {
            // Packed relative relocations, which glibc understands since 2.36.
            "GLIBC_ABI_DT_RELR" => [2, 36, 0],
            _ => version(&symbol[prefix.len()..])?,
        };
        (needs > has).then_some((prefix, needs, has))
    }
}

/// The loader that a dynamically linked executable of the architecture names.
pub(super) fn loader(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "/lib64/ld-linux-x86-64.so.2",
        Architecture::Arm64 => "/lib/ld-linux-aarch64.so.1",
    }
}

/// Whether the image has the interpreter of a script.
pub(super) fn has_interpreter(path: &str) -> bool {
    let path = path.strip_prefix("/usr").unwrap_or(path);
    matches!(path, "/bin/sh" | "/bin/bash")
}

/// Writes a version as its library does: `2.34`, `3.4.29`.
pub(super) fn written([major, minor, patch]: Version) -> String {
    match patch {
        0 => format!("{major}.{minor}"),
        patch => format!("{major}.{minor}.{patch}"),
    }
}

fn version(text: &str) -> Option<Version> {
    let mut version = [0; 3];
    for (at, part) in text.split('.').enumerate() {
        *version.get_mut(at)? = part.parse().ok()?;
    }
    Some(version)
}
