//! What a rule and its targets are in terms of the model.

use aws_sdk_cloudwatchevents::types::Rule;
use serde_json::{Value, json};

use super::observe::read;
use super::*;

const ALIAS: &str = "arn:aws:lambda:us-east-1:123456789012:function:ml_api_x:dev";

fn rule(schedule: &str) -> Rule {
    Rule::builder().name("r").schedule_expression(schedule).state(RuleState::Enabled).build()
}

fn target(id: &str, arn: &str, input: &str) -> Target {
    Target::builder().id(id).arn(arn).input(input).build().unwrap()
}

#[test]
fn a_rule_as_mdo_writes_it_comes_back() {
    let input = r#"{"mdo":{"warm":true}}"#;
    let targets = [target("warm-2", ALIAS, input), target("warm-1", ALIAS, input)];
    assert_eq!(
        read(&rule("rate(5 minutes)"), &targets, ALIAS),
        WarmRule {
            name: "r".to_owned(),
            rate: Some("5m".parse().unwrap()),
            concurrency: 2,
            enabled: true,
            input: json!({"mdo": {"warm": true}}),
            tags: Tags::default(),
        }
    );
}

#[test]
fn a_foreign_schedule_has_no_rate() {
    assert_eq!(read(&rule("cron(0 12 * * ? *)"), &[], ALIAS).rate, None);
    assert_eq!(read(&rule("rate(1 hour)"), &[], ALIAS).rate, None);
}

#[test]
fn a_wrong_target_is_a_difference() {
    let targets = [target("warm-1", ALIAS, "{}"), target("other", "arn:aws:sns:::x", "{}")];
    let found = read(&rule("rate(1 minute)"), &targets, ALIAS);
    assert_eq!(found.input, json!(format!("unexpected targets: warm-1 → {ALIAS}, other → arn:aws:sns:::x")));
    let renamed = [target("mine", ALIAS, "{}")];
    assert!(read(&rule("rate(1 minute)"), &renamed, ALIAS).input.is_string());
    assert_eq!(read(&rule("rate(1 minute)"), &[], ALIAS).input, Value::Null);
    let elsewhere = [target("warm-1", "arn:aws:lambda:us-east-1:123456789012:function:ml_api_x", "{}")];
    assert!(read(&rule("rate(1 minute)"), &elsewhere, ALIAS).input.is_string());
}

#[test]
fn failures_inside_an_answer_are_errors() {
    let refused = [("warm-1", Some("ManagedRuleException"), None), ("warm-2", None, Some("no"))];
    let error =
        check_entries(&Redactor::default(), "put the targets of", "r", 2, refused.into_iter()).unwrap_err();
    assert_eq!(error.message, "put the targets of r: warm-1: ManagedRuleException; warm-2: no");
    assert_eq!(check_entries(&Redactor::default(), "put the targets of", "r", 0, [].into_iter()), Ok(()));
}
