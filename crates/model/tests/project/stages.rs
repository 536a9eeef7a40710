//! What a stage overrides, and what flags override.

use mdo_model::project::Overrides;

use super::given::{Given, name};

#[test]
fn a_stage_overrides_warm_rules_but_makes_none() {
    let given = Given::project("name = \"x\"\n[stages.cold]\nwarm = false\n[stages.hot]\nwarm = \"1m\"\n")
        .function("a", r#"{"warm": {"rate": "5m", "concurrency": 2}}"#)
        .function("b", r#"{"warm": false, "routes": []}"#)
        .function("c", r#"{"warm": "10 minutes"}"#);
    let warm = |stage: &str| {
        let settings = given.at(stage);
        ["a", "b", "c"].map(|function| {
            settings.functions[&name(function)].warm.map(|warm| (warm.rate.minutes(), warm.concurrency))
        })
    };
    assert_eq!(warm("dev"), [Some((5, 2)), None, Some((10, 1))]);
    assert_eq!(warm("hot"), [Some((1, 2)), None, Some((1, 1))]);
    assert_eq!(warm("cold"), [None, None, None]);
}

#[test]
fn flags_win_over_the_stage_and_the_stage_over_the_project() {
    let given =
        Given::project("name = \"x\"\nregion = \"us-east-1\"\n[stages.prod]\nregion = \"eu-west-1\"\n");
    assert_eq!(given.at("dev").region.as_deref(), Some("us-east-1"));
    assert_eq!(given.at("prod").region.as_deref(), Some("eu-west-1"));
    let overrides = Overrides { region: Some("us-gov-west-1".to_owned()), ..Overrides::default() };
    let settings = given.settings("prod", &overrides).expect("valid");
    assert_eq!(settings.region.as_deref(), Some("us-gov-west-1"));
}
