//! Writes tar archives that are the same bytes everywhere: USTAR, root's, of 1970; pax only for names that USTAR has no room for.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;

/// How long a name and the folder before it may be in USTAR, in bytes.
const NAME: usize = 100;
const PREFIX: usize = 155;

/// The largest file whose size fits in eleven octal digits, in bytes.
const MOST: u64 = 0o777_7777_7777;

/// What stands in the place of the name of a pax header, which no reader looks at.
const PAX: &str = "PaxHeader";

const FILE: u8 = b'0';
const FOLDER: u8 = b'5';
const EXTENDED: u8 = b'x';

/// An archive that is being written.
pub(super) struct Tar<W: Write> {
    out: W,
}

impl<W: Write> Tar<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds a folder; its name has no `/` at its end.
    pub(super) fn folder(&mut self, name: &str, mode: u32) -> io::Result<()> {
        self.head(&format!("{name}/"), FOLDER, mode, 0)
    }

    /// Adds a file of exactly `size` bytes.
    pub(super) fn file(&mut self, name: &str, mode: u32, size: u64, content: impl Read) -> io::Result<()> {
        self.head(name, FILE, mode, size)?;
        let copied = io::copy(&mut content.take(size.saturating_add(1)), &mut self.out)?;
        if copied != size {
            return Err(io::Error::other(format!("{name} changed while it was read")));
        }
        self.pad(size)
    }

    /// Ends the archive and gives back what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn head(&mut self, name: &str, kind: u8, mode: u32, size: u64) -> io::Result<()> {
        if size > MOST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{name} is larger than 8 GB")));
        }
        let (prefix, short) = match split(name) {
            Some(parts) => parts,
            None => {
                let record = record("path", name);
                self.out.write_all(&header("", PAX, EXTENDED, 0o644, record.len() as u64))?;
                self.out.write_all(record.as_bytes())?;
                self.pad(record.len() as u64)?;
                ("", &name[..name.floor_char_boundary(NAME)])
            }
        };
        self.out.write_all(&header(prefix, short, kind, mode, size))
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        if over > 0 {
            self.out.write_all(&[0; BLOCK][over..])?;
        }
        Ok(())
    }
}

/// The two fields that a name is kept in, if there is a `/` to part it at.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME {
        return Some(("", name));
    }
    let fits = |(prefix, short): &(&str, &str)| {
        (1..=PREFIX).contains(&prefix.len()) && (1..=NAME).contains(&short.len())
    };
    name.match_indices('/').map(|(at, _)| (&name[..at], &name[at + 1..])).rfind(fits)
}

/// A pax record: its own length, which counts the digits of the length too, key and value.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn header(prefix: &str, name: &str, kind: u8, mode: u32, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    // The sum counts its own field as spaces.
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}
