//! API Gateway's front contract as one table that runs against the embedded provider and the emulator: what a client sends, what the
//! function answers, and what the client and the function get to see.
//!
//! A row says what AWS does. Where the emulator does something else, the row says what and why ours is right, and both are asserted.

mod answers;
mod binary;
mod cors;
mod events;
mod front;
mod heads;
mod paths;
mod queries;
mod refusals;
mod row;
mod unserved;

use serde_json::json;

pub use self::front::Front;
use self::row::Row;

use super::emulator::say;
use super::project::TestProject;

/// The stages of the table: one with the usual settings, one for pages of other origins, one with binary media types, one that is slow and throttled, one with a
/// quota of a single request.
pub const STAGES: [&str; 5] = ["dev", "pages", "pictures", "tight", "spent"];

const MANIFEST: &str = r#"name = "shop"

[api]
throttle = false

[stages.pages.api]
cors = true

[stages.pictures.api]
binary_media_types = ["image/png", "application/*"]

[stages.tight.api]
throttle = { rate = 0.0001, burst = 1 }
timeout = "50ms"

[stages.spent.api]
quota = { limit = 1, period = "month" }
"#;

/// A route and who may call it.
const ROUTES: [(&str, &str); 9] = [
    ("ANY /open", "open"),
    ("GET /only", "open"),
    ("DELETE /deleted", "open"),
    ("GET /keyed", "key"),
    ("GET /signed", "iam"),
    ("GET /items/{id}", "open"),
    ("GET /items/one", "open"),
    ("GET /items/{id}/parts/{part}", "open"),
    ("GET /files/{rest+}", "open"),
];

/// Every row.
fn rows() -> Vec<Row> {
    let rooms = [
        events::rows(),
        heads::rows(),
        paths::rows(),
        queries::rows(),
        answers::rows(),
        binary::rows(),
        cors::rows(),
        unserved::rows(),
        refusals::rows(),
    ];
    let rows: Vec<Row> = rooms.into_iter().flatten().collect();
    let mut names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "two rows of one name");
    rows
}

/// Writes the project that the table is about.
pub fn write(project: &TestProject) {
    project.write("project.toml", MANIFEST);
    let routes = ROUTES.map(|(route, security)| json!({"route": route, "security": security}));
    project.add_function("front", json!({"routes": routes, "timeout": 2}));
    let traced = json!({"routes": [{"route": "GET /traced", "security": "open"}], "tracing": "active"});
    project.add_function("traced", traced);
    for function in ["front", "traced"] {
        project.write(&format!("functions/{function}/echo.py"), include_str!("answer.py"));
    }
}

/// Runs every row of the table at a front, in order, and says how many rows ran and where the front deviates.
///
/// # Panics
///
/// After the last row, with everything that is not as the table says.
pub fn run(front: &Front<'_>) {
    let rows = rows();
    let wrong: Vec<String> = rows.iter().filter_map(|row| front.run(row).err()).collect();
    let deviating = rows.iter().filter(|row| front.deviates(row)).count();
    let name = front.name();
    say(&format!("contract: {} rows ran at {name}, which deviates from AWS on {deviating}", rows.len()));
    for row in rows.iter().filter(|row| front.deviates(row)) {
        list(row);
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n\n{}", wrong.len(), rows.len(), wrong.join("\n\n"));
}

/// Says where a row is not true, and why that is not AWS's way, to whoever asks with `--nocapture`.
#[expect(clippy::print_stdout, reason = "unlike the summary, this is too long for every run")]
fn list(row: &Row) {
    println!("  {}: {}", row.name, row.emulator.as_ref().map_or("", |(_, why)| *why));
}
