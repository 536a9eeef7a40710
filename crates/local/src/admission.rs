//! Who may ask the server on this machine: requests to a name of ours, that no page of another origin has sent.
//!
//! This is not part of the front: behind a load balancer any `Host` is right. On a developer's machine a browser is the
//! danger. It resolves `evil.example` to 127.0.0.1 (DNS rebinding) and lets its pages send requests to any address.

use std::str::FromStr;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Uri};

use super::console::{self, Answer};

/// The names of this machine, as every system resolves them.
const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// What a browser says of the page that a request is from.
const FETCH_SITE: &str = "sec-fetch-site";

/// The port of a URL that names none.
const HTTP_PORT: u16 = 80;

/// A host in a `Host` header: a name, and the port where one is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    name: String,
    port: Option<u16>,
}

/// Why a text is not a [`HostName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHostName;

impl std::fmt::Display for InvalidHostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("expected a host name, with a port or without one, as in `shop.test` or `localhost:5173`")
    }
}

impl std::error::Error for InvalidHostName {}

impl FromStr for HostName {
    type Err = InvalidHostName;

    fn from_str(text: &str) -> Result<Self, InvalidHostName> {
        // The colons of an IPv6 address are within its brackets.
        let end = text.strip_prefix('[').map_or(Some(0), |rest| rest.find(']')).ok_or(InvalidHostName)?;
        let (name, port) = match text[end..].split_once(':') {
            Some((rest, port)) => (&text[..end + rest.len()], Some(port)),
            None => (text, None),
        };
        let in_name = |letter: char| letter.is_ascii_alphanumeric() || "-._[:]".contains(letter);
        let is_number = |port: &&str| port.bytes().all(|digit| digit.is_ascii_digit());
        if name.is_empty() || !name.chars().all(in_name) {
            return Err(InvalidHostName);
        }
        let port = match port {
            Some(port) => Some(Some(port).filter(is_number).ok_or(InvalidHostName)?),
            None => None,
        };
        let port = port.map(str::parse).transpose().map_err(|_| InvalidHostName)?;
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The console page.
    Page,
    /// The API; with `cors` pages of other origins may call it.
    Api { cors: bool },
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unwelcome {
    /// It has no `Host`, or more than one.
    NoHost,
    /// Its `Host` is not a name of this server.
    Host(String),
    /// A page of another origin has sent it.
    Origin(String),
}

impl Unwelcome {
    /// Why, and what to do about it.
    pub(super) fn reason(&self, part: Part) -> String {
        match self {
            Self::NoHost => "the request needs exactly one Host header".to_owned(),
            Self::Host(host) => format!(
                "the Host {host} is not a name of this server; if it is, start it with: mdo dev --host {host}"
            ),
            Self::Origin(origin) => {
                let what = match part {
                    Part::Page => "the console page does not answer pages of another origin",
                    Part::Api { .. } => {
                        "the API does not answer pages of another origin: set cors = true under [api] in \
                         project.toml, or name the page's host with mdo dev --host"
                    }
                };
                format!("{what} (here {origin})")
            }
        }
    }
}

/// The answer to a request that is refused: a page in place of the page, and JSON in place of the API's.
pub(super) fn refusal(reason: &str, part: Part) -> Answer {
    if part == Part::Page {
        return console::refusal(reason);
    }
    let body = serde_json::json!({ "message": reason }).to_string();
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Whether a browser says that a page has sent a request.
pub(super) fn is_of_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key(FETCH_SITE)
}

/// The names that the server goes by.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    port: u16,
    /// What the user named besides this machine's own names; one without a port stands for any port.
    named: Vec<HostName>,
}

impl Admission {
    /// The names of a server on a port.
    pub(super) fn new(port: u16, named: Vec<HostName>) -> Self {
        Self { port, named }
    }

    /// Refuses what a browser may have been led to send.
    ///
    /// Another origin is refused even where a browser would keep the answer from its page: the function has run by then. With `cors`
    /// the API is meant for such pages, and is as open as API Gateway's. Following a link is no reason to refuse: the page that
    /// holds the link does not see where it leads, and on AWS the link works (this is what cookies with `SameSite=Lax` allow).
    pub(super) fn check(&self, parts: &Parts, part: Part) -> Result<(), Unwelcome> {
        self.check_host(&parts.uri, &parts.headers)?;
        if part == (Part::Api { cors: true }) {
            return Ok(());
        }
        self.check_origin(&parts.method, &parts.headers)
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Unwelcome> {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Unwelcome::NoHost) };
        let host = host.to_str().map_err(|_| Unwelcome::NoHost)?;
        // A target that names an authority weighs more than the header (RFC 9112, section 3.2.2).
        let target = uri.authority().map(|authority| authority.as_str());
        match [Some(host), target].into_iter().flatten().find(|host| !self.is_own(host, &self.named)) {
            None => Ok(()),
            Some(stranger) => Err(Unwelcome::Host(stranger.to_owned())),
        }
    }

    fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Unwelcome> {
        for origin in headers.get_all(ORIGIN) {
            let origin = origin.to_str().unwrap_or("one that is not text");
            let is_own = match origin.split_once("://") {
                Some(("http", host)) => self.is_own(host, &self.named),
                // Only what stands before this server may have TLS, and that has a name that the user gave.
                Some(("https", host)) => is_named(host, &self.named),
                // `null` stands for a file or a frame that its page does not trust.
                _ => false,
            };
            if !is_own {
                return Err(Unwelcome::Origin(origin.to_owned()));
            }
        }
        // An image, a script or a form that is read with GET carries no Origin; every browser since 2023 says this much of it.
        let said = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let is_link = *method == Method::GET
            && said("sec-fetch-mode") == Some(b"navigate")
            && said("sec-fetch-dest") == Some(b"document");
        match said(FETCH_SITE) {
            None | Some(b"none" | b"same-origin") => Ok(()),
            // The origin was checked, and is one of our names.
            Some(_) if headers.contains_key(ORIGIN) || is_link => Ok(()),
            Some(_) => Err(Unwelcome::Origin("one that the browser does not name".to_owned())),
        }
    }

    fn is_own(&self, host: &str, named: &[HostName]) -> bool {
        let Ok(host) = host.parse::<HostName>() else { return false };
        let is_served = host.port.unwrap_or(HTTP_PORT) == self.port;
        (is_served && OWN_NAMES.contains(&host.name.as_str())) || covers(named, &host)
    }
}

fn is_named(host: &str, named: &[HostName]) -> bool {
    host.parse().is_ok_and(|host| covers(named, &host))
}

fn covers(named: &[HostName], host: &HostName) -> bool {
    named.iter().any(|named| named.name == host.name && (named.port.is_none() || named.port == host.port))
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const API: Part = Part::Api { cors: false };
    const OPEN_API: Part = Part::Api { cors: true };

    fn check(port: u16, named: &[&str], part: Part, request: &[(&str, &str)]) -> Result<(), Unwelcome> {
        let named = named.iter().map(|name| name.parse().unwrap()).collect();
        let mut parts = Request::get("/dev/x");
        for (name, value) in request {
            parts = parts.header(*name, *value);
        }
        Admission::new(port, named).check(&parts.body(()).unwrap().into_parts().0, part)
    }

    fn host(port: u16, named: &[&str], host: &str) -> bool {
        check(port, named, OPEN_API, &[("host", host)]).is_ok()
    }

    #[test]
    fn a_name_that_was_rebound_to_this_machine_is_not_ours() {
        for own in ["127.0.0.1:3000", "localhost:3000", "LocalHost:3000", "[::1]:3000"] {
            assert!(host(3000, &[], own), "{own}");
        }
        for other in [
            "evil.example",
            "evil.example:3000",
            "127.0.0.1",
            "localhost",
            "localhost:3001",
            "127.0.0.1:3000:3000",
            "localhost:+3000",
            "localhost:",
            "localhost.evil.example:3000",
            "evil@localhost:3000",
            "[::1",
            "[::2]:3000",
            "::1:3000",
            "0.0.0.0:3000",
            "",
        ] {
            assert!(!host(3000, &[], other), "{other}");
        }
    }

    #[test]
    fn a_host_without_a_port_means_port_80() {
        assert!(host(80, &[], "localhost") && host(80, &[], "127.0.0.1:80"));
        assert!(!host(80, &[], "localhost:3000"));
    }

    #[test]
    fn a_name_that_the_user_gave_is_ours_at_its_port_or_at_any() {
        for given in ["shop.test", "shop.test:3000", "SHOP.test:8443"] {
            assert!(host(3000, &["shop.test"], given), "{given}");
        }
        assert!(host(3000, &["localhost:8080"], "localhost:8080"));
        assert!(!host(3000, &["localhost:8080"], "localhost:8081"));
        assert!(!host(3000, &["shop.test:8080"], "shop.test"));
        assert!(!host(3000, &["shop.test"], "evil.shop.test"));
        for wrong in ["", "http://shop.test", "a b", "shop.test:x", "shop.test:99999", "[::1"] {
            assert_eq!(wrong.parse::<HostName>(), Err(InvalidHostName), "{wrong}");
        }
    }

    #[test]
    fn exactly_one_host_is_needed() {
        assert_eq!(check(80, &[], API, &[]), Err(Unwelcome::NoHost));
        let two = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(check(80, &[], API, &two), Err(Unwelcome::NoHost));
        let target = Request::get("http://evil.example/dev/x").header("host", "localhost").body(()).unwrap();
        let refused = Admission::new(80, Vec::new()).check(&target.into_parts().0, API);
        assert_eq!(refused, Err(Unwelcome::Host("evil.example".to_owned())));
    }

    fn origin(part: Part, origin: &str) -> bool {
        let request = [("host", "localhost:3000"), ("origin", origin)];
        check(3000, &["shop.test"], part, &request).is_ok()
    }

    #[test]
    fn a_page_of_another_origin_reaches_the_api_with_cors_alone() {
        for own in
            ["http://localhost:3000", "http://127.0.0.1:3000", "https://shop.test", "http://shop.test:1"]
        {
            assert!(origin(Part::Page, own) && origin(API, own) && origin(OPEN_API, own), "{own}");
        }
        for other in [
            "https://evil.example",
            "http://localhost:5173",
            "https://localhost:3000",
            "http://localhost",
            "null",
            "",
        ] {
            assert!(!origin(Part::Page, other) && !origin(API, other) && origin(OPEN_API, other), "{other}");
        }
    }

    #[test]
    fn an_image_of_another_page_is_refused_and_a_link_is_not() {
        let request = |site, mode, dest| {
            let fetch = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            let request: Vec<_> = [("host", "localhost:3000")].into_iter().chain(fetch).collect();
            [Part::Page, API, OPEN_API].map(|part| check(3000, &[], part, &request).is_ok())
        };
        assert_eq!(request("none", "navigate", "document"), [true; 3]);
        assert_eq!(request("same-origin", "cors", "empty"), [true; 3]);
        assert_eq!(request("cross-site", "navigate", "document"), [true; 3]);
        for [site, mode, dest] in [
            ["cross-site", "no-cors", "image"],
            ["cross-site", "no-cors", "script"],
            ["same-site", "no-cors", "empty"],
            ["cross-site", "navigate", "iframe"],
        ] {
            assert_eq!(request(site, mode, dest), [false, false, true], "{site} {mode} {dest}");
        }
    }
}
