//! Archives as Python's tarfile reads them: another reader than ours.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const LIST: &str = r#"
import io, json, sys, tarfile
tar = tarfile.open(sys.argv[1])
print(json.dumps([
    [m.name, "%o" % m.mode, {b"0": "file", b"5": "folder", b"2": "link"}.get(m.type, "?"), m.size,
     [m.uid, m.gid, m.mtime, m.uname, m.gname]]
    for m in tar
]))
"#;

const READ: &str = r#"
import sys, tarfile
sys.stdout.buffer.write(tarfile.open(sys.argv[1]).extractfile(sys.argv[2]).read())
"#;

const WRITE: &str = r#"
import io, json, sys, tarfile
tar = tarfile.open(sys.argv[1], sys.argv[2], format=getattr(tarfile, sys.argv[3]))
for name, kind, text in json.load(sys.stdin):
    info = tarfile.TarInfo(name)
    if kind == "link":
        info.type, info.linkname = tarfile.SYMTYPE, text
        tar.addfile(info)
    elif kind == "folder":
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    elif kind == "copy":
        tar.add(text, name, recursive=False)
    else:
        data = text.encode()
        info.size, info.mode = len(data), 0o755
        tar.addfile(info, io.BytesIO(data))
tar.close()
"#;

fn python(script: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("python3")
        .args(["-c", script])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    output.stdout
}

/// An entry: name, mode, kind, size, and whose and when.
pub(crate) fn list(tar: &Path) -> Vec<(String, String, String, u64, Value)> {
    serde_json::from_slice(&python(LIST, &[tar.to_str().unwrap()], b"")).unwrap()
}

/// The entries in one line each: `755 file srv/echo/bootstrap`.
pub(crate) fn lines(tar: &Path) -> Vec<String> {
    list(tar).into_iter().map(|(name, mode, kind, ..)| format!("{mode} {kind} {name}")).collect()
}

/// The content of a file.
pub(crate) fn read(tar: &Path, name: &str) -> Vec<u8> {
    python(READ, &[tar.to_str().unwrap(), name], b"")
}

/// Writes an archive: names, `file`, `folder`, `link` or `copy`, and texts, what links lead to or the file that is copied.
pub(crate) fn write(tar: &Path, mode: &str, format: &str, entries: &[(&str, &str, &str)]) {
    let entries = serde_json::to_vec(entries).unwrap();
    python(WRITE, &[tar.to_str().unwrap(), mode, format], &entries);
}
