//! Documents that were valid until something happened to them: nothing makes mdo panic, and every problem lies in the file
//! that it names.
//!
//! `MDO_FUZZ_CASES=300000 cargo test -p mdo-model --test project fuzz` tries many more than an ordinary run.

use std::fs;
use std::ops::Range;

use mdo_model::project::{Overrides, Place, Problem, set_key};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::given::Given;

const MANIFEST: &str = r#"name = "ml_api"
description = "Samples — über HTTP"
region = "us-east-1"
account = "123456789012"
role = "arn:aws:iam::123456789012:role/name"
default_stage = "dev"

[defaults]
memory = 256
timeout = 30
runtime = "provided.al2023"
architecture = "arm64"
environment = { SHARED = "x", 'QUOTED' = '''y''' }

[api]
security = "key"
throttle = { rate = 10.5, burst = 20 }
quota = { limit = 10_000, period = "month" }
cors = true
timeout = "29s"

[stages.prod]
warm = { rate = "1m", concurrency = 2 }
environment.GREETING = "from the stage"
[stages.prod.api]
throttle = false
[stages.quiet]
warm = false

[logs]
retention_days = 30
[artifacts]
bucket = "packages"
"#;

const FUNCTION: &str = r#"{
  "$schema": "https://example.com/function.json",
  "description": "says what it sees",
  "role": "arn:aws:iam::123456789012:role/other",
  "hooks": {"build": "cargo build", "clean": "true"},
  "routes": ["GET /a", {"route": "POST /a/{id}", "security": "open"}, "ANY /b/{proxy+}"],
  "warm": {"rate": "5m", "concurrency": 2},
  "required_environment": ["GREETING"],
  "concurrency": 3,
  "runtime": "python3.13",
  "architecture": "x86_64",
  "memory": 128,
  "timeout": 900,
  "handler": "main.handler",
  "environment": {"GREETING": "h\u00e9llo", "EMPTY": ""},
  "vpc": {"subnets": ["subnet-0123abcd"], "securityGroups": ["sg-0123abcd"]},
  "layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"],
  "tracing": "active",
  "ephemeral_storage": 10240,
  "deadletter_arn": "arn:aws:sqs:us-east-1:123456789012:name",
  "kms_arn": "arn:aws:kms:us-east-1:123456789012:key/id"
}
"#;

const DOTENV: &str = "# who is greeted\nGREETING=hello\nexport NAME='a b'\nQUOTED=\"x\\n#y\" # z\nEMPTY=\n";

const JSON_ENVIRONMENT: &str = "{\"GREETING\": \"hello\", \"NAME\": \"a \\\"b\\\"\"}\n";

/// What a value, a name or a mark becomes.
const WORDS: [&str; 42] = [
    "",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "1.5",
    "18446744073709551616",
    "nan",
    "inf",
    "0x7f",
    "1_0",
    "\"\"",
    "\"x\"",
    "''",
    "'''",
    "\"\"\"",
    "[]",
    "{}",
    "[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "]",
    "}",
    ",",
    ":",
    "=",
    ".",
    "#",
    "//",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{202e}",
    "é",
    "🦀",
    "\0",
    "\r",
    "\n",
    "\t",
    "1979-05-27T07:32:00Z",
    "[stages.dev]",
];

/// One thing that happens to a text.
#[derive(Clone, Debug)]
enum Mutation {
    /// A word, a quoted text or a mark becomes something else.
    Replace(Index, String),
    /// It is there twice.
    Repeat(Index),
    /// It is gone.
    Remove(Index),
    /// Two of them change places.
    Swap(Index, Index),
    /// A byte becomes another one, so that the text may be none.
    Byte(Index, u8),
    /// The file ends here.
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    let long = (1..6000usize, select(vec!["x", "é", "[", "{\"a\":", "a.", " "]))
        .prop_map(|(times, word)| word.repeat(times));
    let words =
        prop_oneof![20 => select(WORDS.to_vec()).prop_map(str::to_owned), 1 => long, 4 => "\\PC{0,8}"];
    prop_oneof![
        8 => (index(), words).prop_map(|(at, word)| Mutation::Replace(at, word)),
        2 => index().prop_map(Mutation::Repeat),
        2 => index().prop_map(Mutation::Remove),
        2 => (index(), index()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        1 => index().prop_map(Mutation::Cut),
    ]
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec(mutation(), 0..4)
}

/// The words, quoted texts, blanks and marks of a text.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let is_word = |c: char| c.is_alphanumeric() || "_-/.+".contains(c);
        let length = match first {
            '"' | '\'' => rest[1..].find(first).map_or(1, |end| end + 2),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        tokens.push(start..start + length);
        start += length;
    }
    tokens
}

fn mutated(text: &str, mutations: &[Mutation]) -> Vec<u8> {
    let mut text = text.to_owned();
    let mut bytes = Vec::new();
    for mutation in mutations {
        let tokens = tokens(&text);
        if tokens.is_empty() {
            break;
        }
        let at = |index: &Index| tokens[index.index(tokens.len())].clone();
        match mutation {
            Mutation::Replace(index, word) => text.replace_range(at(index), word),
            Mutation::Repeat(index) => {
                let word = text[at(index)].to_owned();
                text.insert_str(at(index).end, &word);
            }
            Mutation::Remove(index) => text.replace_range(at(index), ""),
            Mutation::Swap(one, other) => {
                let (first, second) = (at(one), at(other));
                let (first, second) =
                    if first.start <= second.start { (first, second) } else { (second, first) };
                let (early, late) = (text[first.clone()].to_owned(), text[second.clone()].to_owned());
                if first != second {
                    text.replace_range(second, &early);
                    text.replace_range(first, &late);
                }
            }
            Mutation::Byte(index, byte) => bytes.push((*index, *byte)),
            Mutation::Cut(index) => text.truncate(at(index).start),
        }
    }
    let mut written = text.into_bytes();
    for (index, byte) in bytes.iter().filter(|_| !written.is_empty()).cloned().collect::<Vec<_>>() {
        let at = index.index(written.len());
        written[at] = byte;
    }
    written
}

/// Whether a place is in the text: on one of its lines, and not behind the end of that line.
fn holds(text: &str, place: &Place) -> bool {
    let line = text.split('\n').nth(place.line.wrapping_sub(1));
    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&place.column))
}

/// The problems that are not in the file that they name, or that name none.
fn misplaced<'a>(problems: impl IntoIterator<Item = &'a Problem>, files: &[(String, &[u8])]) -> Vec<String> {
    let is_misplaced = |place: &Option<Place>| {
        let Some(place) = place else { return true };
        let file = files.iter().find(|(name, _)| *name == place.file);
        !file.is_some_and(|(_, bytes)| holds(&String::from_utf8_lossy(bytes), place))
    };
    // A file that is no text has no lines to point at.
    let is_unreadable =
        |message: &str| message.starts_with("cannot read ") && message.ends_with("valid UTF-8");
    let misplaced = problems
        .into_iter()
        .filter(|problem| is_misplaced(&problem.place) && !is_unreadable(&problem.message));
    misplaced.map(|problem| problem.render("error")).collect()
}

fn configuration() -> ProptestConfig {
    let cases = std::env::var("MDO_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(256), failure_persistence: None, ..ProptestConfig::default() }
}

/// One folder for every case of a test.
fn project() -> Given {
    Given::project(MANIFEST).function("a", FUNCTION).file("x.env", DOTENV)
}

#[test]
fn what_is_mutated_is_valid_before() {
    let given = project();
    let environments = [given.path("x.env")];
    let overrides = Overrides { env_files: environments.into(), ..Overrides::default() };
    for stage in ["dev", "prod", "quiet"] {
        given.settings(stage, &overrides).unwrap_or_else(|problems| panic!("{stage}: {problems}"));
    }
}

#[test]
fn no_mutation_of_a_document_makes_mdo_panic_or_name_a_place_that_is_not_there() {
    let given = project();
    let (manifest_path, function_path) =
        (given.path("project.toml"), given.path("functions/a/function.json"));
    let environment_path = given.path("x.env");
    let environment_name = environment_path.display().to_string();
    let overrides = Overrides { env_files: vec![environment_path.clone()], ..Overrides::default() };
    let documents = (mutations(), mutations(), mutations(), any::<bool>());
    proptest!(configuration(), |((manifest, function, environment, is_json) in documents)| {
        let manifest = mutated(MANIFEST, &manifest);
        let function = mutated(FUNCTION, &function);
        let environment = mutated(if is_json { JSON_ENVIRONMENT } else { DOTENV }, &environment);
        fs::write(&manifest_path, &manifest).expect("a file");
        fs::write(&function_path, &function).expect("a file");
        fs::write(&environment_path, &environment).expect("a file");
        let files = [
            ("project.toml".to_owned(), manifest.as_slice()),
            ("functions/a/function.json".to_owned(), function.as_slice()),
            (environment_name.clone(), environment.as_slice()),
        ];
        let mut found = Vec::new();
        match given.load() {
            Err(problems) => found.extend(misplaced(&problems, &files)),
            Ok(project) => {
                found.extend(misplaced(&project.warnings(crate::given::TODAY), &files));
                for stage in ["dev", "prod", "quiet"] {
                    let stage = stage.parse().expect("a stage's name");
                    for settings in [project.settings(&stage, &overrides), project.resolve(&stage, &overrides)] {
                        found.extend(settings.err().iter().flat_map(|problems| misplaced(problems, &files)));
                    }
                }
            }
        }
        let text = String::from_utf8_lossy(&function).into_owned();
        for value in [Some(serde_json::json!({"rate": "3m"})), Some(serde_json::json!(7)), None] {
            match set_key(&text, "warm", value.as_ref()) {
                Ok(edited) => prop_assert!(set_key(&edited, "warm", value.as_ref()).is_ok(), "{}", edited),
                Err(problems) => {
                    found.extend(misplaced(&problems, &[("function.json".to_owned(), text.as_bytes())]));
                }
            }
        }
        prop_assert!(found.is_empty(), "{}", found.join("\n"));
    });
}
