//! Who is not let in: no key, no route, no signature, or too much of it.

use super::row::{Expected, Row, get, refused, send, status};

const NO_LIMIT: &str = "a usage plan limits its keys (Usage plans and API keys for REST APIs)";

/// What everybody gets who asks for what is not there.
pub(super) fn no_route() -> Expected {
    refused(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
}

pub(super) fn no_key() -> Expected {
    refused(403, "Forbidden", "ForbiddenException")
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = keys();
    rows.extend(routes());
    rows.extend(signatures());
    rows.extend(limits());
    rows
}

fn keys() -> Vec<Row> {
    vec![
        get("a key lets in", "/dev/keyed").keyed(),
        get("no key is refused", "/dev/keyed").gets(no_key()),
        get("a wrong key is refused", "/dev/keyed")
            .with("x-api-key", "another-key-of-twenty-characters")
            .gets(no_key()),
        get("an empty key is refused", "/dev/keyed").with("x-api-key", "").gets(no_key()),
        get("a key elsewhere is no key", "/dev/keyed?x-api-key=KEY").gets(no_key()),
        get("an open route takes any key", "/dev/open").with("x-api-key", "whatever"),
    ]
}

fn routes() -> Vec<Row> {
    let nowhere = "AWS says Forbidden where there is no such stage";
    let missing = |name, method, target| send(name, method, target).gets(no_route());
    vec![
        missing("an unknown path is refused", "GET", "/dev/nowhere"),
        missing("a path below a route is refused", "GET", "/dev/only/more"),
        missing("a path above a route is refused", "GET", "/dev/items"),
        missing("a path in capitals is another path", "GET", "/dev/ONLY"),
        missing("the stage itself is refused", "GET", "/dev"),
        missing("the stage with a slash is refused", "GET", "/dev/"),
        missing("another method is refused", "POST", "/dev/only"),
        missing("another method of a keyed route is refused without a word about keys", "POST", "/dev/keyed"),
        missing("HEAD is another method than GET", "HEAD", "/dev/only"),
        missing("OPTIONS is another method than GET", "OPTIONS", "/dev/only"),
        missing("ANY is not a method", "ANY", "/dev/open"),
        get("another stage is forbidden", "/prod/open").gets(no_key()).emulator(status(404), nowhere),
        get("what only begins like the stage is forbidden", "/devious/open")
            .gets(no_key())
            .emulator(status(404), nowhere),
    ]
}

fn signatures() -> Vec<Row> {
    let unchecked =
        "an IAM route takes signed requests only (Control access to a REST API with IAM permissions)";
    vec![
        get("a route for IAM refuses who did not sign", "/dev/signed")
            .gets(no_route())
            .emulator(status(200), unchecked),
        get("a route for IAM refuses another authorization", "/dev/signed")
            .with("Authorization", "Basic x")
            .gets(no_route())
            .emulator(status(200), unchecked),
    ]
}

/// These rows need their order: the first of each stage uses up what there is.
fn limits() -> Vec<Row> {
    vec![
        get("a burst is let through", "/tight/keyed")
            .keyed()
            .with("X-Do", "hang")
            .gets(
                refused(504, "Endpoint request timed out", "InternalServerErrorException")
                    .has("x-amzn-trace-id", &["Root=1-########-########################"]),
            )
            .emulator(status(502), "the integration timeout is 50 ms there"),
        get("more than the burst is refused", "/tight/keyed")
            .keyed()
            .gets(refused(429, "Too Many Requests", "TooManyRequestsException"))
            .emulator(status(200), NO_LIMIT),
        get("a wrong key does not count against the burst", "/tight/keyed").gets(no_key()),
        get("the quota is let through", "/spent/keyed").keyed(),
        get("more than the quota is refused", "/spent/keyed")
            .keyed()
            .gets(refused(429, "Limit Exceeded", "LimitExceededException"))
            .emulator(status(200), NO_LIMIT),
    ]
}
