//! HTTP/1.1 messages over plain TCP, as much of it as a loopback client and a proxy need. No TLS, no redirects.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(120);

/// A request or a response: its first line, its headers in order, and its whole body.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Names as they came; `header` compares them without case.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer coding.
    pub body: Vec<u8>,
}

/// A message that answers.
pub type Response = Message;

impl Message {
    /// Reads a request; nothing if the peer closed the connection instead. Tells a peer that waits for it to continue.
    pub fn read_request(reader: &mut impl BufRead, peer: &mut impl Write) -> io::Result<Option<Message>> {
        let Some(mut message) = Message::read_head(reader)? else { return Ok(None) };
        if message.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            peer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        message.read_body(reader, false)?;
        Ok(Some(message))
    }

    /// Reads the response to a request with this method.
    pub fn read_response(reader: &mut impl BufRead, method: &str) -> io::Result<Message> {
        loop {
            let message = Message::read_head(reader)?;
            let mut message = message.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
            match message.status() {
                100 => continue,
                204 | 304 => {}
                _ if method == "HEAD" => {}
                _ => message.read_body(reader, true)?,
            }
            return Ok(message);
        }
    }

    /// Writes the message with a `Content-Length`, whatever framing it came in.
    pub fn write(&self, writer: &mut impl Write) -> io::Result<()> {
        writer.write_all(&self.bytes())?;
        writer.flush()
    }

    /// Writes the first half of the body after a head that promises all of it, or half of the head where there is no body.
    pub fn write_half(&self, writer: &mut impl Write) -> io::Result<()> {
        let bytes = self.bytes();
        let length =
            if self.body.is_empty() { bytes.len() / 2 } else { bytes.len() - self.body.len().div_ceil(2) };
        writer.write_all(&bytes[..length])?;
        writer.flush()
    }

    fn bytes(&self) -> Vec<u8> {
        let framing = |name: &str| name.eq_ignore_ascii_case("content-length");
        let has_body = !self.body.is_empty();
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            let replaced = framing(name) && has_body;
            if !replaced && !name.eq_ignore_ascii_case("transfer-encoding") {
                text += &format!("{name}: {value}\r\n");
            }
        }
        if has_body || !self.headers.iter().any(|(name, _)| framing(name)) {
            text += &format!("Content-Length: {}\r\n", self.body.len());
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend(&self.body);
        bytes
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The same request for another host.
    #[must_use]
    pub fn for_host(&self, host: &str) -> Message {
        let mut message =
            Message { start: self.start.clone(), headers: self.headers.clone(), body: self.body.clone() };
        message.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        message.headers.push(("Host".to_owned(), host.to_owned()));
        message
    }

    /// A response's status.
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_default()
    }

    /// A request's method.
    pub fn method(&self) -> &str {
        self.word(0)
    }

    /// A request's path with its query.
    pub fn target(&self) -> &str {
        self.word(1)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn word(&self, number: usize) -> &str {
        self.start.split(' ').nth(number).unwrap_or_default()
    }

    fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
        let Some(start) = line(reader)? else { return Ok(None) };
        let mut message = Message { start, ..Message::default() };
        loop {
            let line = line(reader)?.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
            if line.is_empty() {
                return Ok(Some(message));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| Error::from(ErrorKind::InvalidData))?;
            message.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }

    fn read_body(&mut self, reader: &mut impl BufRead, until_end: bool) -> io::Result<()> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            self.body = chunks(reader)?;
        } else if let Some(length) = self.header("content-length") {
            let length = length.parse().map_err(|_| Error::from(ErrorKind::InvalidData))?;
            self.body = vec![0; length];
            reader.read_exact(&mut self.body)?;
        } else if until_end {
            reader.read_to_end(&mut self.body)?;
        }
        Ok(())
    }
}

/// Sends one request on a connection of its own and reads the answer.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let is_given = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let usual = [("Host", address.to_string()), ("Connection", "close".to_owned())].into_iter();
    let usual = usual.filter(|(name, _)| !is_given(name)).map(|(name, value)| (name.to_owned(), value));
    let all = usual.chain(headers.iter().map(owned)).collect();
    let request = Message { start: format!("{method} {path} HTTP/1.1"), headers: all, body: body.to_vec() };
    let mut stream = connect(address)?;
    request.write(&mut stream)?;
    Message::read_response(&mut BufReader::new(stream), method)
}

/// A connection that sends at once and does not wait for ever.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let bad = || Error::from(ErrorKind::InvalidData);
    let mut body = Vec::new();
    loop {
        let head = line(reader)?.ok_or_else(bad)?;
        let size = head.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| bad())?;
        if size > 0 {
            reader.by_ref().take(size).read_to_end(&mut body)?;
        }
        while !line(reader)?.ok_or_else(bad)?.is_empty() {}
        if size == 0 {
            return Ok(body);
        }
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}
