//! Reads tar archives that others have made: USTAR, pax and GNU, one entry after the other.

use std::io::{self, Read, Seek};

const BLOCK: u64 = 512;

/// The most bytes of a long name or a pax header.
const MOST_HEADER: u64 = 1024 * 1024;

/// What passes over content that nobody reads.
pub(super) trait Skip: Read {
    /// Passes over so many bytes.
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

/// A file, where content is passed over without reading it.
pub(super) struct Seeking<R>(pub R);

/// A stream, where all has to be read.
pub(super) struct Streaming<R>(pub R);

impl<R: Read> Read for Seeking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read + Seek> Skip for Seeking<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.0.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?)
    }
}

impl<R: Read> Read for Streaming<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Skip for Streaming<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A symbolic link to this.
    Link(String),
    /// A device and the like.
    Other,
}

/// One entry.
pub(super) struct Entry {
    /// Without `./` or `/` at its start and without `/` at its end.
    pub name: String,
    pub kind: Kind,
    /// In bytes.
    pub size: u64,
    /// Where its content begins, in bytes from the beginning of the archive.
    pub at: u64,
}

/// Passes each entry with its content to `visit`, which reads as much of the content as it wants.
pub(super) fn entries<R: Skip>(
    from: &mut R,
    mut visit: impl FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut at = 0;
    let (mut long_name, mut long_link, mut long_size) = (None, None, None);
    loop {
        let mut header = [0; BLOCK as usize];
        match from.read_exact(&mut header) {
            // Some writers leave the two empty blocks at the end out.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        at += BLOCK;
        if header.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        check_sum(&header)?;
        let size = match long_size.take() {
            Some(size) => size,
            None => number(&header[124..136])?,
        };
        let padded = size.checked_next_multiple_of(BLOCK).ok_or_else(|| damaged("a size is too large"))?;
        match header[156] {
            b'L' => long_name = Some(text(&short(from, size, padded)?)),
            b'K' => long_link = Some(text(&short(from, size, padded)?)),
            b'x' => {
                for (key, value) in records(&short(from, size, padded)?)? {
                    match key.as_str() {
                        "path" => long_name = Some(value),
                        "linkpath" => long_link = Some(value),
                        "size" => {
                            long_size = Some(value.parse().map_err(|_| damaged("a size is no number"))?)
                        }
                        _ => {}
                    }
                }
            }
            b'g' => from.skip(padded)?,
            kind => {
                let name = long_name.take().unwrap_or_else(|| name(&header));
                let link = long_link.take().unwrap_or_else(|| text(&header[157..257]));
                let kind = match kind {
                    b'0' | 0 | b'7' | b'1' => Kind::File,
                    b'5' => Kind::Folder,
                    b'2' => Kind::Link(link),
                    _ => Kind::Other,
                };
                let entry = Entry { name: plain(&name), kind, size, at };
                let mut content = (&mut *from).take(size);
                visit(&entry, &mut content)?;
                let left = content.limit();
                from.skip(left + (padded - size))?;
            }
        }
        at += padded;
    }
}

fn short<R: Skip>(from: &mut R, size: u64, padded: u64) -> io::Result<Vec<u8>> {
    if size > MOST_HEADER {
        return Err(damaged("a name is too long"));
    }
    let mut content = vec![0; size as usize];
    from.read_exact(&mut content)?;
    from.skip(padded - size)?;
    Ok(content)
}

/// The pairs of a pax header: `27 path=…\n`.
fn records(mut content: &[u8]) -> io::Result<Vec<(String, String)>> {
    let mut records = Vec::new();
    while !content.is_empty() {
        let record = content
            .iter()
            .position(|&byte| byte == b' ')
            .and_then(|space| Some((space, std::str::from_utf8(&content[..space]).ok()?.parse().ok()?)))
            .filter(|(space, length): &(usize, usize)| (space + 2..=content.len()).contains(length));
        let (space, length) = record.ok_or_else(|| damaged("a pax header is malformed"))?;
        let (key, value) = text(&content[space + 1..length - 1])
            .split_once('=')
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| damaged("a pax header is malformed"))?;
        records.push((key, value));
        content = &content[length..];
    }
    Ok(records)
}

fn name(header: &[u8]) -> String {
    let is_ustar = header[257..263] == *b"ustar\0";
    match text(&header[345..500]) {
        prefix if is_ustar && !prefix.is_empty() => format!("{prefix}/{}", text(&header[..100])),
        _ => text(&header[..100]),
    }
}

/// A name as it reads from the root of the file system.
fn plain(name: &str) -> String {
    let parts: Vec<_> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

/// A number in octal digits, or in base 256 as GNU writes large ones.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        let fits = field[1..field.len() - 8].iter().all(|&byte| byte == 0);
        let bytes = field.last_chunk::<8>().filter(|_| fits);
        return bytes.map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(|| damaged("a size is too large"));
    }
    let digits = text(field);
    match digits.trim() {
        "" => Ok(0),
        digits => u64::from_str_radix(digits, 8).map_err(|_| damaged("a size is no number")),
    }
}

fn check_sum(header: &[u8; BLOCK as usize]) -> io::Result<()> {
    let with_spaces = |(at, &byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u64::from(byte) };
    let sum: u64 = header.iter().enumerate().map(with_spaces).sum();
    if number(&header[148..156]).is_ok_and(|told| told == sum) {
        Ok(())
    } else {
        Err(damaged("not a tar archive"))
    }
}

/// What stands before the first zero.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
