//! Reads what an executable file says about itself: its format, processor, loader, libraries and symbol versions.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use object::elf::{self, FileHeader64};
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader, SectionTable};
use object::{LittleEndian, ReadRef, StringTable};

type Header = FileHeader64<LittleEndian>;

/// What kind of file it is.
pub(super) enum Format {
    /// A linked ELF program or library; the processor as toolchains write it (`aarch64`).
    Elf {
        /// `x86_64`, `aarch64`, `32-bit arm` …
        machine: String,
    },
    /// A script: what follows `#!` on its first line, without the line end.
    Script(String),
    /// Anything else, in words: `a macOS program`.
    Other(&'static str),
}

/// What a dynamically linked ELF file needs. All is empty for a static one.
#[derive(Default)]
pub(super) struct Needs {
    /// The loader (`PT_INTERP`).
    pub loader: Option<String>,
    /// The libraries (`DT_NEEDED`).
    pub libraries: Vec<String>,
    /// Where it looks for them (`DT_RPATH`, `DT_RUNPATH`), as written.
    pub run_paths: Vec<String>,
    /// The symbol versions it needs: library and version.
    pub versions: Vec<(String, String)>,
    /// It is linked dynamically, but its section table is stripped, so that nothing more can be said.
    pub unreadable: bool,
}

/// Looks at the first bytes of a file.
pub(super) fn format(path: &Path) -> io::Result<Format> {
    let mut start = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut start)?;
    Ok(match start.as_slice() {
        [0x7f, b'E', b'L', b'F', class, order, ..] if start.len() >= 20 => elf_format(*class, *order, &start),
        [b'#', b'!', line @ ..] => {
            let end = line.iter().position(|&byte| byte == b'\n');
            let line = &line[..end.unwrap_or(line.len())];
            Format::Script(String::from_utf8_lossy(line).into_owned())
        }
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
            Format::Other("a macOS program")
        }
        [b'M', b'Z', ..] => Format::Other("a Windows program"),
        [] => Format::Other("an empty file"),
        _ => Format::Other("neither an ELF file nor a #! script"),
    })
}

fn elf_format(class: u8, order: u8, start: &[u8]) -> Format {
    let half = |at: usize| match order {
        2 => u16::from_be_bytes([start[at], start[at + 1]]),
        _ => u16::from_le_bytes([start[at], start[at + 1]]),
    };
    match half(16) {
        2 | 3 => Format::Elf { machine: machine(half(18), class, order) },
        1 => Format::Other("an object file that is not linked"),
        _ => Format::Other("an ELF file that is not a program"),
    }
}

fn machine(number: u16, class: u8, order: u8) -> String {
    let name = match number {
        3 => "x86".to_owned(),
        21 => "powerpc64".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm".to_owned(),
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        243 => "riscv64".to_owned(),
        258 => "loongarch64".to_owned(),
        other => format!("machine {other}"),
    };
    match (class, order) {
        (2, 1) => name,
        (2, _) => format!("big-endian {name}"),
        _ => format!("32-bit {name}"),
    }
}

/// Reads what a 64-bit little-endian ELF file needs; only the parts that say so, not the whole file.
pub(super) fn needs(path: &Path) -> Result<Needs, NotReadable> {
    let cache = ReadCache::new(File::open(path)?);
    Ok(read_needs(&cache)?)
}

/// The file cannot be read, or is not well-formed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReadable {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(#[from] object::Error),
}

fn read_needs<'data, R: ReadRef<'data>>(data: R) -> object::Result<Needs> {
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let mut needs = Needs::default();
    let mut dynamic = false;
    for segment in header.program_headers(endian, data)? {
        dynamic |= segment.p_type(endian) == elf::PT_DYNAMIC;
        if let Some(loader) = segment.interpreter(endian, data)? {
            needs.loader = Some(text(loader));
        }
    }
    let sections = header.sections(endian, data)?;
    if sections.is_empty() {
        needs.unreadable = dynamic;
        return Ok(needs);
    }
    let table = sections.dynamic_table(endian, data)?;
    for entry in &table {
        if entry.tag == elf::DT_NEEDED {
            needs.libraries.push(text(table.string(entry)?));
        } else if entry.tag == elf::DT_RPATH || entry.tag == elf::DT_RUNPATH {
            let paths = text(table.string(entry)?);
            needs.run_paths.extend(paths.split(':').map(str::to_owned));
        }
    }
    needs.versions = versions(endian, data, &sections)?;
    Ok(needs)
}

fn versions<'data, R: ReadRef<'data>>(
    endian: LittleEndian,
    data: R,
    sections: &SectionTable<'data, Header, R>,
) -> object::Result<Vec<(String, String)>> {
    let mut versions = Vec::new();
    let Some((mut libraries, link)) = sections.gnu_verneed(endian, data)? else {
        return Ok(versions);
    };
    let strings: StringTable<'data, R> = sections.strings(endian, data, link)?;
    while let Some((library, mut symbols)) = libraries.next()? {
        while let Some(symbol) = symbols.next()? {
            if symbol.vna_flags.get(endian) & elf::VER_FLG_WEAK == elf::VersionFlags(0) {
                versions.push((text(library.file(endian, strings)?), text(symbol.name(endian, strings)?)));
            }
        }
    }
    Ok(versions)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
