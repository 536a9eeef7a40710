//! The head of a request as its client wrote it. hyper keeps header names in lower case only, while API Gateway hands them to a
//! function as they were sent: so the bytes of each head are noted on their way to hyper.
//!
//! What is noted is a hint and no parser: hyper alone decides what a request is. A head that hyper reads differently has names
//! that nobody asks for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// The largest head that is noted, in bytes. No larger one reaches the gateway.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// The head of one request, line by line, without the ends of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SentHead(Arc<[u8]>);

impl SentHead {
    /// The request line.
    pub(crate) fn request_line(&self) -> &[u8] {
        self.0.split(|byte| *byte == b'\n').next().unwrap_or_default()
    }

    /// The spelling of a header's name, where the client sent it.
    pub(crate) fn spelling(&self, name: &str) -> Option<&str> {
        let same = |(sent, _): &(&[u8], &[u8])| sent.eq_ignore_ascii_case(name.as_bytes());
        self.fields().find(same).and_then(|(sent, _)| std::str::from_utf8(sent).ok())
    }

    /// Names and values, in order.
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        })
    }

    /// What follows the head.
    fn framing(&self) -> Expected {
        let value = |name: &str| {
            let mut fields = self.fields();
            fields.find(|(sent, _)| sent.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
        };
        if value(TRANSFER_ENCODING.as_str()).is_some() {
            return Expected::ChunkSize;
        }
        let length = value(CONTENT_LENGTH.as_str()).and_then(|value| std::str::from_utf8(value).ok());
        match length.map(str::parse) {
            None | Some(Ok(0)) => Expected::Head,
            Some(Ok(length)) => Expected::Body(length),
            Some(Err(_)) => Expected::Anything,
        }
    }
}

/// The heads of one connection that hyper has read and no request has asked for yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentHeads(Arc<Mutex<VecDeque<SentHead>>>);

impl SentHeads {
    /// The head of the next request.
    pub(crate) fn next(&self) -> Option<SentHead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn push(&self, head: SentHead) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(head);
    }
}

/// Which bytes come next on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// A line of a head.
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// The line with the size of a chunk.
    ChunkSize,
    /// So many bytes of a chunk and the end of its line, then the next chunk.
    Chunk(u64),
    /// A line after the last chunk; an empty one is the last.
    Trailer,
    /// What is not HTTP: hyper will hang up.
    Anything,
}

/// Follows what a client sends, in whatever pieces it comes.
#[derive(Debug)]
pub(crate) struct Follower {
    expected: Expected,
    /// The lines of the head so far.
    head: Vec<u8>,
    /// A line that is not ended yet.
    line: Vec<u8>,
    heads: SentHeads,
}

impl Follower {
    /// At the beginning of a connection, and where its heads are to be found.
    pub(crate) fn new() -> (Self, SentHeads) {
        let heads = SentHeads::default();
        (Self { expected: Expected::Head, head: Vec::new(), line: Vec::new(), heads: heads.clone() }, heads)
    }

    /// Whether what comes next begins a request.
    pub(crate) fn is_between_requests(&self) -> bool {
        self.expected == Expected::Head && self.head.is_empty() && self.line.is_empty()
    }

    /// Gives back what it holds, where nothing has begun.
    pub(crate) fn rest(&mut self) {
        if self.is_between_requests() {
            (self.head, self.line) = (Vec::new(), Vec::new());
        }
    }

    /// Takes what has come next.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match self.expected {
                Expected::Anything => return,
                Expected::Body(left) | Expected::Chunk(left) => self.skip(left, bytes.len()),
                Expected::Head | Expected::ChunkSize | Expected::Trailer => self.read_line(bytes),
            };
            bytes = &bytes[taken..];
        }
    }

    fn skip(&mut self, left: u64, available: usize) -> usize {
        let taken = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - taken as u64;
        self.expected = match (self.expected, left) {
            (Expected::Chunk(_), 0) => Expected::ChunkSize,
            (Expected::Chunk(_), left) => Expected::Chunk(left),
            (_, 0) => Expected::Head,
            (_, left) => Expected::Body(left),
        };
        taken
    }

    /// Takes the bytes of one line, as far as it is there.
    fn read_line(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.line.extend_from_slice(&bytes[..end.unwrap_or(taken)]);
        if self.head.len() + self.line.len() > MAX_HEAD {
            self.expected = Expected::Anything;
            (self.head, self.line) = (Vec::new(), Vec::new());
        } else if end.is_some() {
            self.end_line();
        }
        taken
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        match self.expected {
            // Empty lines before a request do not count.
            Expected::Head if line.is_empty() && self.head.is_empty() => {}
            Expected::Head if line.is_empty() => self.end_head(),
            Expected::Head => {
                self.head.extend_from_slice(&line);
                self.head.push(b'\n');
            }
            Expected::Trailer if line.is_empty() => self.expected = Expected::Head,
            Expected::ChunkSize => self.expected = after_chunk_size(&line),
            _ => {}
        }
        line.clear();
        self.line = line;
    }

    fn end_head(&mut self) {
        let head = SentHead(self.head.as_slice().into());
        self.head.clear();
        self.expected = head.framing();
        self.heads.push(head);
    }
}

/// What follows the line with a chunk's size. An extension after a `;` says nothing.
fn after_chunk_size(line: &[u8]) -> Expected {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let size = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match size {
        None => Expected::Anything,
        Some(0) => Expected::Trailer,
        Some(size) => Expected::Chunk(size.saturating_add(2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: &[u8] = b"\r\nPOST /a HTTP/1.1\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n\
        10;x=y\r\n\r\n\r\nX-Not: 1\r\n\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n\
        PUT /b HTTP/1.1\r\nx-oNe: 2\r\nContent-Length: 8\r\n\r\nX-Not: 1GET /c HTTP/1.1\nX-ONE:3\n\n";

    fn lines(piece: usize) -> Vec<(String, String)> {
        let (mut follower, heads) = Follower::new();
        for bytes in REQUESTS.chunks(piece) {
            follower.read(bytes);
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        std::iter::from_fn(|| heads.next())
            .map(|head| {
                assert_eq!(head.spelling("x-not"), None);
                (text(head.request_line()), head.spelling("x-one").unwrap().to_owned())
            })
            .collect()
    }

    #[test]
    fn heads_of_one_connection_are_told_apart_from_bodies_in_whatever_pieces_they_come() {
        let expected =
            [("POST /a HTTP/1.1", "X-One"), ("PUT /b HTTP/1.1", "x-oNe"), ("GET /c HTTP/1.1", "X-ONE")];
        for piece in [1, 2, 3, 7, 64, REQUESTS.len()] {
            let found = lines(piece);
            let found: Vec<_> = found.iter().map(|(line, name)| (line.as_str(), name.as_str())).collect();
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_never_ends_is_not_kept() {
        let (mut follower, heads) = Follower::new();
        for _ in 0..1000 {
            follower.read(&[b'x'; 1000]);
        }
        assert_eq!((follower.line.capacity(), follower.head.capacity()), (0, 0));
        assert_eq!(heads.next(), None);
    }
}
