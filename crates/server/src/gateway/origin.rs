//! Where a request comes from: the peer of its connection or, behind a load balancer, what that says in `X-Forwarded-…`.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

/// The origin of a request, as its event tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    /// The address of the client.
    pub(super) ip: IpAddr,
    /// `X-Forwarded-For`: every address on the way, the client's own claims first.
    pub(super) forwarded_for: Cow<'a, str>,
    /// `X-Forwarded-Port`: the port that the client connected to.
    pub(super) port: Cow<'a, str>,
    /// `X-Forwarded-Proto`.
    pub(super) protocol: &'a str,
}

impl<'a> Origin<'a> {
    /// Of a client that is connected itself: whatever it says of its origin, it is the peer.
    pub(super) fn direct(headers: &'a HeaderMap, peer: SocketAddr, port: u16) -> Self {
        let ip = peer.ip();
        let forwarded_for = match last(headers, "x-forwarded-for") {
            Some(before) => format!("{before}, {ip}").into(),
            None => ip.to_string().into(),
        };
        Self { ip, forwarded_for, port: port.to_string().into(), protocol: "http" }
    }

    /// Of a client of a load balancer, which adds the client's address at the end, and says how the client came to it. Without one the
    /// client is the peer.
    pub(super) fn balanced(headers: &'a HeaderMap, peer: SocketAddr, port: u16) -> Self {
        let direct = Self::direct(headers, peer, port);
        let Some(forwarded_for) = last(headers, "x-forwarded-for") else { return direct };
        let Some(ip) = forwarded_for.rsplit(',').next().and_then(address) else { return direct };
        Self {
            ip,
            forwarded_for: forwarded_for.into(),
            port: last(headers, "x-forwarded-port").map_or(direct.port, Cow::Borrowed),
            protocol: last(headers, "x-forwarded-proto").unwrap_or(direct.protocol),
        }
    }
}

/// The last value of a header: a balancer adds to it, or puts its own after those of the client.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()
}

/// An address; a balancer may be configured to add the client's port to it.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.7:40000";

    fn headers(sent: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn told(origin: &Origin<'_>) -> [String; 4] {
        let Origin { ip, forwarded_for, port, protocol } = origin;
        [ip.to_string(), forwarded_for.to_string(), port.to_string(), (*protocol).to_owned()]
    }

    #[test]
    fn a_client_that_is_connected_is_the_peer_whatever_it_says() {
        let sent = headers(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "443"),
        ]);
        let origin = Origin::direct(&sent, PEER.parse().unwrap(), 3000);
        assert_eq!(told(&origin), ["10.0.0.7", "1.1.1.1, 10.0.0.7", "3000", "http"]);
    }

    #[test]
    fn behind_a_balancer_the_client_is_what_it_added_last() {
        for (sent, origin) in [
            (&[("x-forwarded-for", "203.0.113.9")][..], ["203.0.113.9", "203.0.113.9", "8080", "http"]),
            (
                &[
                    ("x-forwarded-for", "1.1.1.1, 203.0.113.9"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-port", "443"),
                ],
                ["203.0.113.9", "1.1.1.1, 203.0.113.9", "443", "https"],
            ),
            (
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")],
                ["203.0.113.9", "203.0.113.9", "8080", "http"],
            ),
            (&[("x-forwarded-for", "203.0.113.9:5000")], ["203.0.113.9", "203.0.113.9:5000", "8080", "http"]),
            (&[("x-forwarded-for", "2001:db8::1")], ["2001:db8::1", "2001:db8::1", "8080", "http"]),
            (&[("x-forwarded-for", "[2001:db8::1]:5")], ["2001:db8::1", "[2001:db8::1]:5", "8080", "http"]),
            (&[], ["10.0.0.7", "10.0.0.7", "8080", "http"]),
            (
                &[("x-forwarded-for", "1.1.1.1, junk")],
                ["10.0.0.7", "1.1.1.1, junk, 10.0.0.7", "8080", "http"],
            ),
        ] {
            assert_eq!(told(&Origin::balanced(&headers(sent), PEER.parse().unwrap(), 8080)), origin);
        }
    }
}
