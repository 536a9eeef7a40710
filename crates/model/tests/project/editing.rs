//! Setting one key of a function.json changes nothing else.

use mdo_model::project::set_key;
use proptest::prelude::*;

fn warm_rule() -> serde_json::Value {
    serde_json::json!({"rate": "5m"})
}

#[test]
fn setting_a_key_of_a_function_json_changes_nothing_else() {
    let with_rule = |text: &str| set_key(text, "warm", Some(&warm_rule())).expect("valid JSON");
    assert_eq!(with_rule("{}"), "{\n  \"warm\": { \"rate\": \"5m\" }\n}");
    assert_eq!(with_rule("{\"a\":1}"), "{\"a\":1, \"warm\": { \"rate\": \"5m\" }}");
    assert_eq!(
        with_rule("{\r\n\t\"a\": 1,\r\n\t\"b\" :2\r\n}\r\n"),
        "{\r\n\t\"a\": 1,\r\n\t\"b\" :2,\r\n\t\"warm\": { \"rate\": \"5m\" }\r\n}\r\n"
    );
    assert_eq!(with_rule("{ \"warm\" : false , \"b\": 2}"), "{ \"warm\" : { \"rate\": \"5m\" } , \"b\": 2}");
}

#[test]
fn an_object_that_stays_one_keeps_its_layout() {
    let rule = serde_json::json!({"rate": "3m", "concurrency": 2});
    let set = |text: &str| set_key(text, "warm", Some(&rule)).expect("valid JSON");
    assert_eq!(
        set("{\n\t\"warm\": {\n\t\t\"concurrency\" : 2,\n\t\t\"rate\" : \"5m\"\n\t}\n}\n"),
        "{\n\t\"warm\": {\n\t\t\"concurrency\" : 2,\n\t\t\"rate\" : \"3m\"\n\t}\n}\n"
    );
    assert_eq!(
        set("{\"warm\": { \"rate\": \"5m\", \"old\": 1 }}"),
        "{\"warm\": { \"rate\": \"3m\", \"concurrency\": 2 }}"
    );
}

#[test]
fn removing_a_key_of_a_function_json_takes_its_comma_with_it() {
    let without = |text: &str| set_key(text, "warm", None::<&serde_json::Value>).expect("valid JSON");
    assert_eq!(without("{ \"warm\": false, \"b\": 2}"), "{ \"b\": 2}");
    assert_eq!(without("{\n  \"a\": 1,\n  \"warm\": \"5m\"\n}\n"), "{\n  \"a\": 1\n}\n");
    assert_eq!(without("{ \"warm\": 1 }"), "{}");
    assert_eq!(without("{ \"b\": 1 }"), "{ \"b\": 1 }");
}

#[test]
fn editing_what_is_not_json_says_where_it_is_not() {
    let problems = set_key("{\n \"a\" 1}", "warm", Some(&warm_rule())).expect_err("problems");
    assert_eq!(
        problems.to_string(),
        "error: expected colon after the string or word in object property\n  --> function.json:2:6"
    );
}

fn blanks() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", " ", "\n  ", "\r\n\t", " \n\n    "]).prop_map(str::to_owned)
}

fn members() -> impl Strategy<Value = Vec<(String, String, String)>> {
    let value =
        prop::sample::select(vec!["1", "\"x, }\"", "[1, {\"warm\": 2}]", "{ \"warm\":3 }", "\"ü\\\"\""]);
    prop::collection::vec((blanks(), blanks(), value.prop_map(str::to_owned)), 1..6)
}

proptest! {
    #[test]
    fn setting_and_removing_a_key_restores_every_byte(members in members(), end in blanks()) {
        let members: Vec<String> = members
            .iter()
            .enumerate()
            .map(|(index, (before, after, value))| format!("{before}\"k{index}\"{after}:{value}"))
            .collect();
        let text = format!("{end}{{{}{end}}}{end}", members.join(","));
        let with = set_key(&text, "warm", Some(&warm_rule())).expect("valid JSON");
        let mut expected: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        expected["warm"] = warm_rule();
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&with).expect("valid JSON"), expected);
        prop_assert_eq!(set_key(&with, "warm", None::<&serde_json::Value>).expect("valid JSON"), text);
    }
}
