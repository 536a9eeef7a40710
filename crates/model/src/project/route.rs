//! A route of the API: a method and a path, possibly with parameters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::problem::Problem;

/// An HTTP method of a route; `ANY` stands for every method that has no route of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the variants are the methods of HTTP")]
pub enum Method {
    Any,
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
}

impl Method {
    const ALL: [(&'static str, Self); 8] = [
        ("ANY", Self::Any),
        ("DELETE", Self::Delete),
        ("GET", Self::Get),
        ("HEAD", Self::Head),
        ("OPTIONS", Self::Options),
        ("PATCH", Self::Patch),
        ("POST", Self::Post),
        ("PUT", Self::Put),
    ];

    /// Every method that a route may have.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().map(|(_, method)| method)
    }

    /// The method in capitals.
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

impl FromStr for Method {
    type Err = InvalidRoute;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, method)| *method)
            .ok_or_else(|| InvalidRoute::Method(text.to_owned()))
    }
}

/// A method and a path such as `GET /samples/{id}` or `ANY /files/{proxy+}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Route {
    path: String,
    method: Method,
}

/// Why a text is not a [`Route`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidRoute {
    /// Not a method and a path.
    #[error("`{0}` is not a route: write a method and a path, as in `GET /samples/{{id}}`")]
    Syntax(String),
    /// Not a method of API Gateway.
    #[error("`{0}` is not a method: ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT")]
    Method(String),
    /// Nothing between two slashes.
    #[error("`{0}` has a slash too many: nothing is between it and the next one, or the end")]
    Slash(String),
    /// A path segment that API Gateway refuses.
    #[error(
        "`{segment}` in `{path}` is not a path segment of API Gateway: letters, digits and `-._,:`, or one parameter as `{{name}}`, or `{{name+}}` at the end"
    )]
    Segment {
        /// The whole path.
        path: String,
        /// The segment at fault.
        segment: String,
    },
    /// The same parameter name twice.
    #[error("`{path}` has the parameter `{parameter}` twice")]
    DuplicateParameter {
        /// The whole path.
        path: String,
        /// The parameter.
        parameter: String,
    },
}

impl Route {
    /// The route of a method and a path that starts with `/`.
    pub fn new(method: Method, path: &str) -> Result<Self, InvalidRoute> {
        check_path(path)?;
        Ok(Self { path: path.to_owned(), method })
    }

    /// The HTTP method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The path, from its leading `/`; the root is `/`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn check_path(path: &str) -> Result<(), InvalidRoute> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(InvalidRoute::Syntax(path.to_owned()));
    };
    if rest.is_empty() {
        return Ok(());
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let mut parameters = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let fault = || InvalidRoute::Segment { path: path.to_owned(), segment: (*segment).to_owned() };
        if let Some(inner) = segment.strip_prefix('{') {
            let inner = inner.strip_suffix('}').ok_or_else(fault)?;
            let greedy = inner.ends_with('+');
            let name = inner.strip_suffix('+').unwrap_or(inner);
            let valid =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c));
            if !valid || (greedy && index + 1 != segments.len()) {
                return Err(fault());
            }
            if parameters.contains(&name) {
                return Err(InvalidRoute::DuplicateParameter {
                    path: path.to_owned(),
                    parameter: name.to_owned(),
                });
            }
            parameters.push(name);
        } else if segment.is_empty() {
            return Err(InvalidRoute::Slash(path.to_owned()));
        } else if !segment.chars().all(|c| c.is_ascii_alphanumeric() || "-._,:".contains(c)) {
            return Err(fault());
        }
    }
    Ok(())
}

/// What is wrong with a route in a file, and how it was meant as far as that can be seen.
///
/// API Gateway would take `:id` for a text to match, which nobody means.
pub(super) fn problem(text: &str) -> Option<Problem> {
    let problem = match text.parse::<Route>() {
        Ok(route) => {
            let segment = route.path.split('/').find(|segment| segment.starts_with(':'))?;
            Problem::new(format!("`{segment}` in `{}` is no parameter of API Gateway", route.path))
        }
        Err(error) => Problem::new(error.to_string()),
    };
    Some(match meant(text) {
        Some(route) => problem.help(format!("write `{route}`")),
        None => problem,
    })
}

/// The route that a text was probably meant to be: `get /x/`, `/x`, `GET /u/:id`, `GET /u/<id>`, `GET /files/*`.
fn meant(text: &str) -> Option<Route> {
    let (method, path) = match text.trim().split_once(char::is_whitespace) {
        Some((method, path)) => (method.to_ascii_uppercase(), path.trim()),
        None => (Method::Any.as_str().to_owned(), text.trim()),
    };
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let parameter = |(index, segment): (usize, &&str)| {
        let in_brackets = segment.strip_prefix('<').and_then(|inner| inner.strip_suffix('>'));
        let name = segment.strip_prefix(':').or(in_brackets.and_then(|inner| inner.rsplit(':').next()));
        match name {
            Some(name) => format!("{{{name}}}"),
            None if segment.starts_with('*') && index + 1 == segments.len() => "{proxy+}".to_owned(),
            None => (*segment).to_owned(),
        }
    };
    let path: Vec<String> = segments.iter().enumerate().map(parameter).collect();
    Route::new(method.parse().ok()?, &format!("/{}", path.join("/"))).ok()
}

impl FromStr for Route {
    type Err = InvalidRoute;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (method, path) =
            text.split_once(char::is_whitespace).ok_or_else(|| InvalidRoute::Syntax(text.to_owned()))?;
        Self::new(method.parse()?, path.trim_start())
    }
}

impl TryFrom<String> for Route {
    type Error = InvalidRoute;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Route> for String {
    fn from(route: Route) -> Self {
        route.to_string()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)
    }
}
