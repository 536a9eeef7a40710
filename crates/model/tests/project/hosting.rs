//! The stack that a hosted stage asks for, and the plans that lead there, away from there, and across.

use std::collections::{BTreeMap, BTreeSet};

use mdo_model::project::{Secret, Settings};
use mdo_model::stack::{self, Action, Change, Key, Plan, ResourceId, Selection, Stack, desired, hosted};

use crate::given::{Given, MINIMAL, name};

const IMAGE: &str = "sha256:1";

fn settings() -> Settings {
    let text = format!("{MINIMAL}[server]\nhttp = true\n[stages.prod]\nhosting = \"server\"\n");
    Given::project(&text).function("hello", r#"{"warm": "5m", "timeout": 20}"#).at("prod")
}

fn server_stack() -> Stack {
    hosted(&settings(), IMAGE).expect("a hosted stage")
}

/// The same stage as Lambda and API Gateway serve it.
fn serverless_stack() -> Stack {
    let settings = Settings { server: None, ..settings() };
    let code = BTreeMap::from([(name("hello"), mdo_model::Sha256::of(b"a zip"))]);
    desired(&settings, &code, &BTreeMap::new())
}

fn plan(wanted: Stack, live: &Stack) -> Plan {
    let names = settings().names();
    stack::plan(&names, wanted, live, &Selection::All, &BTreeSet::new(), &BTreeSet::new())
}

fn listed(plan: &Plan) -> Vec<String> {
    let sign = |action| match action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
    };
    plan.changes.iter().map(|change| format!("{} {}", sign(change.action), change.id)).collect()
}

fn before(plan: &Plan, first: &str, second: &str) -> bool {
    let needs = |id: &ResourceId, other: &str| {
        let change = plan.change(id).expect("a change");
        change.needs.iter().any(|needed| needed.to_string() == other)
    };
    let second = plan.changes.iter().find(|change| change.id.to_string() == second).expect("a change");
    needs(&second.id, first)
}

#[test]
fn a_first_deploy_makes_everything_and_the_server_last() {
    let plan = plan(server_stack(), &Stack::default());
    assert_eq!(
        listed(&plan),
        [
            "+ key default",
            "+ server role ml_api",
            "+ repository ml_api",
            "+ load balancer ml_api",
            "+ server prod"
        ]
    );
    for needed in ["key default", "server role ml_api", "repository ml_api", "load balancer ml_api"] {
        assert!(before(&plan, needed, "server prod"), "{needed}");
    }
}

#[test]
fn a_server_has_neither_warm_rules_nor_lambda_functions() {
    let stack = server_stack();
    assert!(stack.functions.is_empty() && stack.warm_rules.is_empty() && stack.stage.is_none());
    let server = stack.server.expect("a server");
    assert_eq!(server.stop_timeout, 11 + 20 + 5);
    assert_eq!(server.keys.len(), 1);
}

#[test]
fn what_is_live_is_left_alone() {
    let plan = plan(server_stack(), &server_stack());
    assert!(plan.is_empty(), "{:?}", listed(&plan));
    assert_eq!(plan.checked, 5);
}

#[test]
fn new_code_changes_the_server_alone() {
    let wanted = hosted(&settings(), "sha256:2").expect("a hosted stage");
    let plan = plan(wanted, &server_stack());
    assert_eq!(listed(&plan), ["~ server prod"]);
    let fields: Vec<&str> = plan.changes[0].fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(fields, ["image"]);
}

#[test]
fn variables_and_keys_that_no_file_sets_are_kept() {
    let mut live = server_stack();
    let server = live.server.as_mut().expect("a server");
    let environment = &mut server.functions.get_mut(&name("hello")).expect("a function").environment;
    environment.insert("LIVE".to_owned(), Secret::new("x"));
    server.keys.insert("alice".parse().expect("a name"));
    live.keys.insert("alice".parse().expect("a name"), Key::open(false));
    let plan = plan(server_stack(), &live);
    assert!(plan.is_empty(), "{:?}", plan.changes);
    let kept: Vec<String> = plan.kept.iter().map(|kept| kept.name.clone()).collect();
    assert_eq!(kept, ["LIVE", "alice"]);
}

#[test]
fn a_key_that_was_switched_off_does_not_open_the_server() {
    let mut live = server_stack();
    live.keys.insert("default".parse().expect("a name"), Key { enabled: false, ..Key::open(false) });
    let plan = plan(server_stack(), &live);
    assert_eq!(listed(&plan), ["~ server prod"]);
    let Change { fields, .. } = &plan.changes[0];
    assert_eq!(fields.len(), 1);
    assert_eq!(fields[0].path, "keys");
}

#[test]
fn crossing_over_makes_the_new_way_before_the_old_one_goes() {
    let away = plan(server_stack(), &serverless_stack());
    for goes in ["stage prod", "warm rule hello"] {
        assert!(before(&away, "server prod", goes), "{goes}");
    }
    assert!(!listed(&away).iter().any(|line| line.contains("key")), "{:?}", listed(&away));
    let back = plan(serverless_stack(), &server_stack());
    assert!(before(&back, "stage prod", "server prod"));
    assert!(before(&back, "server prod", "load balancer ml_api"));
}

#[test]
fn destroy_takes_the_server_before_what_it_stands_on() {
    let plan = stack::destroy(&settings().names(), &server_stack(), &BTreeSet::new());
    for below in ["load balancer ml_api", "repository ml_api", "server role ml_api", "key default"] {
        assert!(before(&plan, "server prod", below), "{below}");
    }
    let shared = BTreeSet::from([ResourceId::new(stack::Kind::LoadBalancer, "ml_api")]);
    let plan = stack::destroy(&settings().names(), &server_stack(), &shared);
    assert!(!listed(&plan).iter().any(|line| line.contains("load balancer")));
}
