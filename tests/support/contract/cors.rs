//! What pages of other origins get to see, at a stage that allows them: the preflight is answered without the function, and errors are
//! readable ("CORS for REST APIs" in the API Gateway developer guide).

use super::row::{Expected, Row, bad_gateway, get, send, status};
use super::unserved::{no_key, no_route};

const ORIGIN: &str = "access-control-allow-origin";

/// Its source says `TODO apply responseParameters to the headers`.
const NO_PARAMETERS: &str =
    "gateway responses carry the headers that the definition gives them (Gateway responses in API Gateway)";

fn readable(expected: Expected) -> Expected {
    expected.has(ORIGIN, &["*"])
}

pub(super) fn rows() -> Vec<Row> {
    let preflight = |name, target| send(name, "OPTIONS", target).with("Origin", "https://x.example");
    vec![
        preflight("a preflight names the methods of its path", "/pages/only").gets(
            readable(status(200)).text("").has("access-control-allow-methods", &["GET,OPTIONS"]).has(
                "access-control-allow-headers",
                &["Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token"],
            ),
        ),
        preflight("a preflight of ANY names every method", "/pages/open").gets(
            readable(status(200))
                .has("access-control-allow-methods", &["DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"]),
        ),
        preflight("a preflight needs no key", "/pages/keyed").gets(readable(status(200))),
        preflight("a preflight of a path with a parameter is answered", "/pages/items/7")
            .gets(readable(status(200))),
        preflight("a preflight of an unknown path is refused readably", "/pages/nowhere")
            .gets(readable(no_route()))
            .emulator(no_route().has(ORIGIN, &[]), NO_PARAMETERS),
        get("a page may read that it has no key", "/pages/keyed")
            .gets(readable(no_key()))
            .emulator(no_key().has(ORIGIN, &[]), NO_PARAMETERS),
        get("a page may read that there is no route", "/pages/nowhere")
            .gets(readable(no_route()))
            .emulator(no_route().has(ORIGIN, &[]), NO_PARAMETERS),
        get("a page may read that the function failed", "/pages/open")
            .with("X-Do", "fail")
            .gets(readable(bad_gateway()))
            .emulator(bad_gateway().has(ORIGIN, &[]), NO_PARAMETERS),
        get("what the function answers is its own to open", "/pages/open").gets(status(200).has(ORIGIN, &[])),
        get("without cors no error is opened", "/dev/nowhere").gets(no_route().has(ORIGIN, &[])),
    ]
}
