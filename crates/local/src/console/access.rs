//! Who may use the console: whoever opens it with the token of this start, which `mdo dev` prints and the browser keeps as a cookie.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use mdo_engine::Error;
use subtle::ConstantTimeEq;

use crate::state::random;

/// How many letters a token has: 190 bits.
const LENGTH: usize = 32;

/// The tokens that open the console.
pub(super) struct Access {
    token: String,
    /// That of the start before: a page that was open then goes on, and gets the new one.
    former: Option<String>,
    /// Cookies do not tell ports apart, and so their names do.
    cookie: String,
}

/// What a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// The token, as a cookie.
    Cookie,
    /// The token in the address: it is to become a cookie.
    Address,
    /// The token of the start before, as a cookie.
    Former,
    /// None that opens anything.
    None,
}

impl Access {
    /// A new token, for a server on a port.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(super) fn new(port: u16, former: Option<String>) -> Result<Self, Error> {
        Ok(Self { token: random(LENGTH)?, former, cookie: format!("mdo-{port}") })
    }

    /// The token of this start.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// What a request brings, in its cookies or in the query of its address.
    pub(super) fn pass(&self, headers: &HeaderMap, query: Option<&str>) -> Pass {
        let given = query.into_iter().flat_map(|query| query.split('&'));
        if given.filter_map(|pair| pair.strip_prefix("token=")).any(|token| is_same(token, &self.token)) {
            return Pass::Address;
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let ours = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.cookie).then_some(value)
        });
        ours.fold(Pass::None, |pass, value| match (pass, &self.former) {
            _ if is_same(value, &self.token) => Pass::Cookie,
            (Pass::None, Some(former)) if is_same(value, former) => Pass::Former,
            (pass, _) => pass,
        })
    }

    /// The cookie that keeps the token, out of reach of scripts and of other sites.
    pub(super) fn cookie(&self) -> HeaderValue {
        let text = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.token);
        // A name of letters, digits and a hyphen, and a token of letters and digits.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

fn is_same(given: &str, token: &str) -> bool {
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(access: &Access, cookie: &str, query: Option<&str>) -> Pass {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        access.pass(&headers, query)
    }

    #[test]
    fn the_token_opens_as_a_cookie_of_this_port_or_in_the_address() {
        let access = Access::new(3000, Some("before".to_owned())).unwrap();
        let token = access.token().to_owned();
        assert_eq!(token.len(), LENGTH);
        assert_eq!(pass(&access, &format!("a=b; mdo-3000={token}"), None), Pass::Cookie);
        assert_eq!(pass(&access, &format!("mdo-3000=x; mdo-3000={token}"), None), Pass::Cookie);
        assert_eq!(pass(&access, "a=b", Some(&format!("x=y&token={token}"))), Pass::Address);
        assert_eq!(pass(&access, "mdo-3000=before", None), Pass::Former);
        for (cookie, query) in [
            ("", None),
            ("mdo-3000=", Some("token=")),
            ("mdo-3000=nope", Some("token=before")),
            (&format!("mdo-3001={token}"), Some("token")),
            (&format!("mdo-3000={}", &token[1..]), Some(&format!("tokens={token}"))),
        ] {
            assert_eq!(pass(&access, cookie, query), Pass::None, "{cookie} {query:?}");
        }
        let cookie = access.cookie();
        assert_eq!(cookie.to_str().unwrap(), format!("mdo-3000={token}; Path=/; HttpOnly; SameSite=Strict"));
        assert_ne!(Access::new(3000, None).unwrap().token(), token);
    }
}
