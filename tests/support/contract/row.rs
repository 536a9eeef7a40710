//! A row of the table, written as a sentence: what is sent, and what comes of it.

use serde_json::Value;

/// One fact about the front.
pub struct Row {
    pub name: &'static str,
    pub stage: &'static str,
    pub method: &'static str,
    /// What is requested, beginning with the stage.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the stage's key is sent.
    pub is_keyed: bool,
    /// What comes of it on AWS.
    pub expected: Expected,
    /// What the emulator does instead, and why that is not what AWS does.
    pub emulator: Option<(Expected, &'static str)>,
}

/// What a client and a function get to see. In a text, `#` stands for a hexadecimal digit and `KEY` for the
/// stage's key; a text `…` in an event stands for any.
#[derive(Default)]
pub struct Expected {
    pub status: u16,
    pub body: Option<Body>,
    /// Every value of a header of the answer, by its name in small letters.
    pub headers: Vec<(&'static str, Vec<&'static str>)>,
    /// What the function saw, by JSON pointer; nothing where it saw nothing.
    pub event: Vec<(&'static str, Option<Value>)>,
}

/// A body.
pub enum Body {
    /// Just this.
    Text(String),
    /// The message of a refusal.
    Message(&'static str),
}

/// A row about a `GET`.
pub fn get(name: &'static str, target: &str) -> Row {
    send(name, "GET", target)
}

/// A row about a request of any method.
pub fn send(name: &'static str, method: &'static str, target: &str) -> Row {
    let stage = super::STAGES.into_iter().find(|stage| target.starts_with(&format!("/{stage}/")));
    Row {
        name,
        stage: stage.unwrap_or("dev"),
        method,
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        is_keyed: false,
        expected: status(200),
        emulator: None,
    }
}

/// A row about what becomes of a function's answer.
pub fn answered(name: &'static str, answer: &str) -> Row {
    get(name, "/dev/open").with("X-Answer", answer)
}

/// A status, and nothing else that matters.
pub fn status(status: u16) -> Expected {
    Expected { status, ..Expected::default() }
}

/// A refusal with its message and its type.
pub fn refused(code: u16, message: &'static str, kind: &'static str) -> Expected {
    let body = Some(Body::Message(message));
    Expected { body, ..status(code) }
        .has("x-amzn-errortype", &[kind])
        .has("content-type", &["application/json"])
}

/// What everybody gets whose function failed.
pub fn bad_gateway() -> Expected {
    refused(502, "Internal server error", "InternalServerErrorException")
}

impl Row {
    /// Sends a header.
    pub fn with(mut self, name: &str, value: &str) -> Row {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a body.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Row {
        Row { body: body.into(), ..self }
    }

    /// Sends the stage's key.
    pub fn keyed(self) -> Row {
        Row { is_keyed: true, ..self }
    }

    /// Says what comes of it.
    pub fn gets(self, expected: Expected) -> Row {
        Row { expected, ..self }
    }

    /// Says what the function sees, and that the client gets that.
    pub fn sees(mut self, pointer: &'static str, value: impl Into<Value>) -> Row {
        self.expected = self.expected.sees(pointer, value);
        self
    }

    /// Says what the function does not see.
    pub fn misses(mut self, pointer: &'static str) -> Row {
        self.expected = self.expected.misses(pointer);
        self
    }

    /// Says what the emulator does instead, and why AWS does not.
    pub fn emulator(self, instead: Expected, why: &'static str) -> Row {
        Row { emulator: Some((instead, why)), ..self }
    }
}

impl Expected {
    /// With just this body.
    pub fn text(self, body: &str) -> Expected {
        Expected { body: Some(Body::Text(body.to_owned())), ..self }
    }

    /// With all these values of a header.
    pub fn has(mut self, name: &'static str, values: &[&'static str]) -> Expected {
        self.headers.push((name, values.to_vec()));
        self
    }

    /// With an event that has a value.
    pub fn sees(mut self, pointer: &'static str, value: impl Into<Value>) -> Expected {
        self.event.push((pointer, Some(value.into())));
        self
    }

    /// With an event that does not have a value, not even null.
    pub fn misses(mut self, pointer: &'static str) -> Expected {
        self.event.push((pointer, None));
        self
    }
}
