//! Which route a path takes, what its parameters are, and what method a request means.
//!
//! Encoded parameters and a slash at the end are as in LocalStack's recorded snapshots; slashes and the override of the method are as
//! AWS.md says.

use serde_json::{Value, json};

use super::row::{Row, get, refused, send, status};

const FOLDED: &str = "slashes before the stage and right after it count as one";
const OVERRIDDEN: &str = "API Gateway obeys X-HTTP-Method-Override on POST";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = parameters();
    rows.extend(slashes());
    rows.extend(methods());
    rows
}

fn parameters() -> Vec<Row> {
    const EMAILS: &str = "user/test%2Balias@gmail.com/plus/test+alias@gmail.com";
    vec![
        get("a parameter has its value", "/dev/items/7")
            .sees("/pathParameters", json!({"id": "7"}))
            .sees("/resource", "/items/{id}")
            .sees("/path", "/items/7"),
        get("two parameters have theirs", "/dev/items/7/parts/8")
            .sees("/pathParameters", json!({"id": "7", "part": "8"}))
            .sees("/resource", "/items/{id}/parts/{part}"),
        get("a literal wins over a parameter", "/dev/items/one")
            .sees("/pathParameters", Value::Null)
            .sees("/resource", "/items/one"),
        get("a parameter stays encoded", "/dev/items/caf%C3%A9%20x")
            .sees("/pathParameters/id", "caf%C3%A9%20x")
            .sees("/path", "/items/caf%C3%A9%20x")
            .sees("/requestContext/path", "/dev/items/caf%C3%A9%20x"),
        get("an encoded slash does not split a parameter", "/dev/items/a%2Fb")
            .sees("/pathParameters/id", "a%2Fb"),
        get("a plus in a path is a plus", "/dev/items/a+b").sees("/pathParameters/id", "a+b"),
        get("a greedy parameter takes the rest", "/dev/files/a/b/c")
            .sees("/pathParameters", json!({"rest": "a/b/c"}))
            .sees("/resource", "/files/{rest+}"),
        get("a greedy parameter stays encoded", &format!("/dev/files/{EMAILS}"))
            .sees("/pathParameters/rest", EMAILS)
            .sees("/path", format!("/files/{EMAILS}")),
        get("a greedy parameter has no slash at its end, a path does", "/dev/files/a/b/")
            .sees("/pathParameters/rest", "a/b")
            .sees("/path", "/files/a/b/"),
        get("a greedy parameter needs something", "/dev/files").gets(super::unserved::no_route()),
        get("a path has no query", "/dev/items/7?a=1")
            .sees("/path", "/items/7")
            .sees("/requestContext/path", "/dev/items/7"),
    ]
}

fn slashes() -> Vec<Row> {
    vec![
        get("a slash at the end of a route does not count, and stays in the path", "/dev/open/")
            .sees("/resource", "/open")
            .sees("/path", "/open/")
            .sees("/requestContext/path", "/dev/open/"),
        get("slashes before the stage are folded", "//dev/open")
            .sees("/path", "/open")
            .sees("/requestContext/path", "//dev/open")
            .emulator(status(308), FOLDED),
        get("slashes after the stage are folded", "/dev//open")
            .sees("/path", "/open")
            .sees("/requestContext/path", "/dev//open"),
        get("many slashes around the stage are folded", "///dev///open")
            .sees("/path", "/open")
            .emulator(status(308), FOLDED),
        get("slashes further in are kept", "/dev/files/a//b///c")
            .sees("/path", "/files/a//b///c")
            .sees("/pathParameters/rest", "a//b///c"),
    ]
}

fn methods() -> Vec<Row> {
    let means = |name, method| send(name, "POST", "/dev/deleted").with("X-HTTP-Method-Override", method);
    vec![
        send("HEAD has no body", "HEAD", "/dev/open").gets(status(200).text("")),
        send("OPTIONS is a method like any other", "OPTIONS", "/dev/open").sees("/httpMethod", "OPTIONS"),
        send("PUT is a method like any other", "PUT", "/dev/open").sees("/httpMethod", "PUT"),
        send("DELETE has its route", "DELETE", "/dev/deleted").sees("/httpMethod", "DELETE"),
        means("a POST may stand for another method", "DELETE")
            .body("x")
            .sees("/httpMethod", "DELETE")
            .sees("/requestContext/httpMethod", "DELETE")
            .sees("/body", "x")
            .emulator(super::unserved::no_route(), OVERRIDDEN),
        means("a POST that stands for a method without a route is refused", "PUT")
            .gets(super::unserved::no_route()),
        means("a POST that stands for no method is refused", "no method").gets(super::unserved::no_route()),
        send("no other method may stand for another one", "GET", "/dev/deleted")
            .with("X-HTTP-Method-Override", "DELETE")
            .gets(refused(403, "Missing Authentication Token", "MissingAuthenticationTokenException")),
    ]
}
