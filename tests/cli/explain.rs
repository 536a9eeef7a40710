//! `mdo explain`: every code that an error can have is described, and where the text of an error names its code.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::project::TestProject;

#[test]
fn every_code_of_the_schema_is_listed_and_described() {
    let project = TestProject::local();
    let schema: Value = serde_json::from_str(&project.mdo("schema output").succeeds().stdout).unwrap();
    let variants = schema["$defs"]["ErrorCode"]["oneOf"].as_array().unwrap();
    let codes: BTreeSet<&str> = variants.iter().map(|variant| variant["const"].as_str().unwrap()).collect();
    assert!(codes.len() >= 20, "{codes:?}");
    let list = project.mdo("explain").succeeds().stdout;
    let listed: BTreeSet<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, codes);
    for code in codes {
        let text = project.mdo(&format!("explain {code}")).succeeds().stdout;
        let paragraphs: Vec<&str> = text.split("\n\n").collect();
        assert_eq!(paragraphs.len(), 3, "{text}");
        assert!(
            text.starts_with(&format!("{code}: ")) && text.lines().all(|line| line.chars().count() <= 90),
            "{text}"
        );
    }
}

#[test]
fn an_error_says_its_code_where_more_is_asked_for() {
    let project = TestProject::local_with_echo();
    project.mdo("explain busy").succeeds().prints(
        "busy: The resource is at work on an earlier change, or in use.

  The resource is still at work on an earlier change, or something uses it.

  Wait a moment and run the same command again: it goes on where it stopped.
",
    );
    let told = project.mdo("explain BUSY --json").json();
    assert_eq!(told["codes"][0]["code"], "busy");
    assert!(told["codes"][0]["way_out"].as_str().unwrap().starts_with("Wait a moment"), "{told}");
    project.mdo("explain buzy").exits(2).says("\n\n  tip: a similar value exists: 'busy'\n");
    project.mdo("logs nope --local -v").exits(2).complains(
        "error: no function matches `nope`
  help: the project has echo
  code: usage, which `mdo explain usage` describes
",
    );
}
