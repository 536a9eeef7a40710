//! Two files, of which the older one goes when the newer one is full. Several processes may write and read at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use mdo_engine::Error;
use mdo_engine::logs::{LogBody, LogEvent, LogPage, LogQuery, Millis};
use mdo_model::project::FunctionName;
use mdo_package::OwnFolder;

use super::record::Record;
use crate::files;

/// How large a file may get, in bytes.
const FULL: u64 = 8 * 1024 * 1024;

/// How much of a file is one page, in bytes.
const PAGE: u64 = 1024 * 1024;

/// How far lines may be out of order, in milliseconds: of two processes, each writes what it has collected.
const DISORDER: Millis = 2_000;

/// How near to a time the place in a file is found, in bytes.
const NEAR: u64 = 64 * 1024;

/// The ring of one function, or of what is no function's.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    own: OwnFolder,
    folder: PathBuf,
    name: String,
}

impl Ring {
    /// A ring in a folder of `own`; nothing is read or written yet.
    pub(crate) fn new(own: OwnFolder, folder: PathBuf, function: Option<&FunctionName>) -> Self {
        // No function's name has such a letter.
        let name = function.map_or("@api", FunctionName::as_str);
        Self { own, folder, name: name.to_owned() }
    }

    /// The file that is written to.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.jsonl", self.name))
    }

    fn older(&self) -> PathBuf {
        self.folder.join(format!("{}.1.jsonl", self.name))
    }

    /// Adds whole lines. The folder is made when it is not there.
    pub(super) fn append(&self, lines: &[u8]) -> Result<(), Error> {
        let path = self.path();
        self.own.check(&path).map_err(files::refused)?;
        let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let opened = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let below = self.folder.strip_prefix(self.own.path()).unwrap_or(&self.folder);
                self.own.folder(&below.display().to_string()).map_err(files::refused)?;
                open()
            }
            opened => opened,
        };
        // One call for all of them: another process's lines come before or after.
        let written = opened.and_then(|mut file| {
            file.write_all(lines)?;
            Ok(file.metadata()?.len())
        });
        let size = written.map_err(|error| files::failed("write", &path, &error))?;
        if size > FULL { self.turn() } else { Ok(()) }
    }

    /// Makes the full file the older one, unless somebody has done so.
    fn turn(&self) -> Result<(), Error> {
        let _lock = files::lock(&self.own, &self.folder.join("lock"))?;
        let (path, older) = (self.path(), self.older());
        self.own.check(&older).map_err(files::refused)?;
        if fs::metadata(&path).is_ok_and(|data| data.len() > FULL) {
            fs::rename(&path, &older).map_err(|error| files::failed("write", &older, &error))?;
        }
        Ok(())
    }

    /// Removes what is there.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        files::remove(&self.own, &self.path())?;
        files::remove(&self.own, &self.older())
    }

    /// From when on everything is there that was written; `None` where nothing was thrown away.
    pub(crate) fn begin(&self) -> Result<Option<Millis>, Error> {
        let path = self.older();
        match File::open(&path).and_then(|file| time_after(&file, 0)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            begin => begin.map_err(|error| files::failed("read", &path, &error)),
        }
    }

    /// A page of what was written. A position is the number of the file, from the older one, and a place in it.
    pub(crate) fn page(
        &self,
        function: Option<&FunctionName>,
        query: &LogQuery,
        position: Option<&str>,
    ) -> Result<LogPage, Error> {
        let (number, at) = position.and_then(|position| position.split_once(':')).unwrap_or(("0", ""));
        let (number, at) = (usize::from(number != "0"), at.parse::<u64>().ok());
        let path = if number == 0 { self.older() } else { self.path() };
        self.own.check(&path).map_err(files::refused)?;
        let failed = |error: io::Error| files::failed("read", &path, &error);
        let opened = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(LogPage { events: Vec::new(), next: number_after(number) });
            }
            Err(error) => return Err(failed(error)),
        };
        let begin = match at {
            Some(at) => at,
            None => place_of(&opened, query.since - DISORDER).map_err(failed)?,
        };
        let (text, end) = read_lines(&opened, begin).map_err(failed)?;
        let mut is_past = false;
        let mut events = Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            let Ok(record) = serde_json::from_slice::<Record>(line) else { continue };
            is_past |= record.at > query.until + DISORDER;
            if (query.since..=query.until).contains(&record.at) {
                events.push(record.event(function));
            }
        }
        events.retain(|event| is_asked_for(event, query));
        events.sort_by_key(|event| event.at);
        let next = match end {
            _ if is_past => None,
            Some(end) => Some(format!("{number}:{end}")),
            None => number_after(number),
        };
        Ok(LogPage { events, next })
    }
}

/// The position of the file after this one, to be looked into from the beginning of what is asked for.
fn number_after(number: usize) -> Option<String> {
    (number == 0).then(|| "1:".to_owned())
}

fn is_asked_for(event: &LogEvent, query: &LogQuery) -> bool {
    let is_of_stream = query.stream.as_ref().is_none_or(|stream| *stream == event.stream);
    let contains = |text: &str| match &event.body {
        LogBody::Text(said) | LogBody::Gap(said) => said.contains(text),
        LogBody::Start(id) | LogBody::End(id) | LogBody::Report(id, _) => id.contains(text),
        LogBody::Request(_) | LogBody::Ping(_) | LogBody::Silent => event.request_id.as_deref() == Some(text),
    };
    is_of_stream && query.text.as_deref().is_none_or(contains)
}

/// The place of a line before which everything is older.
fn place_of(file: &File, since: Millis) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.metadata()?.len());
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        match time_after(file, middle)? {
            Some(at) if at < since => low = middle,
            _ => high = middle,
        }
    }
    line_after(file, low)
}

/// Where the first line begins at a place or after it.
fn line_after(file: &File, place: u64) -> io::Result<u64> {
    if place == 0 {
        return Ok(0);
    }
    let mut reader = reader_at(file, place - 1)?;
    let skipped = reader.skip_until(b'\n')?;
    Ok(place - 1 + skipped as u64)
}

/// The time of the first line after a place that says one.
fn time_after(file: &File, place: u64) -> io::Result<Option<Millis>> {
    let mut reader = reader_at(file, line_after(file, place)?)?;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Ok(record) = serde_json::from_slice::<Record>(&line) {
            return Ok(Some(record.at));
        }
        line.clear();
    }
    Ok(None)
}

fn reader_at(file: &File, place: u64) -> io::Result<BufReader<&File>> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(place))?;
    Ok(reader)
}

/// The whole lines of a page, and where the next page begins; `None` at the end of the file.
fn read_lines(file: &File, begin: u64) -> io::Result<(Vec<u8>, Option<u64>)> {
    let mut text = Vec::new();
    let mut reader = reader_at(file, begin)?;
    reader.by_ref().take(PAGE).read_to_end(&mut text)?;
    let is_full = text.len() as u64 == PAGE;
    if is_full {
        reader.read_until(b'\n', &mut text)?;
    }
    // A line that is still being written is read the next time.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    text.truncate(whole);
    Ok((text, is_full.then_some(begin + whole as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring of so many lines, each a millisecond after the other.
    fn filled(folder: &std::path::Path, lines: i64) -> Ring {
        let own = OwnFolder::of(folder);
        let ring = Ring::new(own.clone(), own.path().join("stages/dev/logs"), None);
        for first in (0..lines).step_by(1_000) {
            let numbers = first..(first + 1_000).min(lines);
            let line = |at: i64| {
                format!(
                    "{{\"t\":{at},\"i\":\"{at}\",\"m\":\"line {at}, which is as long as others are: {:100}\"}}\n",
                    ""
                )
            };
            ring.append(numbers.map(line).collect::<String>().as_bytes()).unwrap();
        }
        ring
    }

    fn read(ring: &Ring, since: Millis, until: Millis) -> (Vec<Millis>, usize) {
        let query = LogQuery { since, until, ..LogQuery::default() };
        let (mut times, mut pages, mut position) = (Vec::new(), 0, None::<String>);
        loop {
            let page = ring.page(None, &query, position.as_deref()).unwrap();
            times.extend(page.events.iter().map(|event| event.at));
            pages += 1;
            position = page.next;
            if position.is_none() {
                return (times, pages);
            }
        }
    }

    #[test]
    fn the_newest_lines_are_kept_and_a_time_is_found_without_reading_all() {
        let folder = tempfile::tempdir().unwrap();
        let ring = filled(folder.path(), 150_000);
        let sizes = [ring.older(), ring.path()].map(|path| fs::metadata(path).unwrap().len());
        assert!(sizes[0] > FULL && sizes[0] < FULL + FULL / 8 && sizes[1] < FULL, "{sizes:?}");
        let (all, pages) = read(&ring, 0, Millis::MAX - DISORDER);
        assert_eq!(ring.begin().unwrap(), all.first().copied());
        assert!(pages > 8, "{pages}");
        assert_eq!(all.last(), Some(&149_999));
        assert!(all.windows(2).all(|pair| pair[1] == pair[0] + 1));
        // Of two files, a page each, but for what may be out of order.
        let (some, pages) = read(&ring, 149_000, 149_500);
        assert_eq!((some.len(), some[0], pages <= 3), (501, 149_000, true), "{pages}");
        assert!(read(&ring, 200_000, 300_000).0.is_empty());
        ring.remove().unwrap();
        assert!(read(&ring, 0, 1).0.is_empty());
    }

    #[test]
    fn a_line_that_is_half_written_is_read_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let ring = filled(folder.path(), 2);
        ring.append(b"{\"t\":2,\"i\":\"2\",").unwrap();
        assert_eq!(read(&ring, 0, 10).0, [0, 1]);
        ring.append(b"\"m\":\"x\"}\n").unwrap();
        assert_eq!(read(&ring, 0, 10).0, [0, 1, 2]);
    }
}
