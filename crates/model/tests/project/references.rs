//! Values of variables that are kept elsewhere.

use mdo_model::project::{Assignment, Overrides, Secret};

use super::given::{Given, MINIMAL, name};

fn set(name: &str, value: &str) -> Assignment {
    Assignment { name: name.to_owned(), value: Secret::new(value) }
}

#[test]
fn the_highest_source_decides_whether_a_value_is_kept_elsewhere() {
    let given = Given::project(
        "name = \"x\"\nregion = \"eu-west-1\"\n[defaults.environment]\nSHARED = \"ssm:/shared\"\nOVER = \"ssm:/over\"\n\
         [stages.prod.environment]\nOVER = { secret = \"secretsmanager:prod#key\", resolve = \"function\" }\n",
    )
    .function("f", r#"{"environment": {"OWN": {"secret": "ssm:/own"}, "PLAIN": "literal:ssm:/own"}}"#);
    let shown = |stage: &str, flags: Vec<Assignment>| {
        let overrides = Overrides { set: flags, ..Overrides::default() };
        let settings = given.settings(stage, &overrides).unwrap();
        let function = &settings.functions[&name("f")];
        let lines = function.configuration.environment.iter().map(|(variable, value)| {
            let referred = function.referred.get(variable);
            let how = referred.map_or("text", |one| if one.by_function { "function" } else { "deploy" });
            let place = referred.and_then(|one| one.place.as_ref()).map(|place| format!(" {place}"));
            format!("{variable} {} {how}{}", value.reveal(), place.unwrap_or_default())
        });
        let allowed = function.permissions.allow.iter().map(|(action, on)| format!("{action} {on:?}"));
        lines.collect::<Vec<_>>().into_iter().chain(allowed).collect::<Vec<_>>()
    };
    assert_eq!(
        shown("dev", vec![set("SHARED", "here")]),
        [
            "OVER ssm:/over deploy project.toml:5:1",
            "OWN ssm:/own deploy functions/f/function.json:1:18",
            "PLAIN ssm:/own text",
            "SHARED here text",
        ]
    );
    assert_eq!(
        shown("prod", vec![set("OWN", "ssm:/other")])[..3],
        [
            "OVER secretsmanager:prod#key function project.toml:7:1",
            "OWN ssm:/other deploy",
            "PLAIN ssm:/own text",
        ]
    );
    assert_eq!(
        shown("prod", vec![])[4..],
        [r#"secretsmanager:GetSecretValue {"arn:aws:secretsmanager:eu-west-1:*:secret:prod-??????"}"#]
    );
}

#[test]
fn what_refers_to_nothing_is_refused_without_the_value() {
    Given::project(MINIMAL)
        .function(
            "f",
            r#"{"environment": {
  "A1": "ssm: hush",
  "A2": "secretsmanager:hush#",
  "A3": {"secret": "hush"},
  "A4": {"secret": "ssm:/x", "resolve": "later"},
  "A5": {"key": "ssm:/x"}
}}"#,
        )
        .fails_with(
            "
        error: the value of this environment variable begins with `ssm:` and names nothing
          --> functions/f/function.json:2:9
          help: as in `ssm:/shop/db-password`; write `literal:` before a value that begins so and is no reference
        error: the value of this environment variable begins with `secretsmanager:` and names nothing
          --> functions/f/function.json:3:9
          help: as in `secretsmanager:shop/db#password`; write `literal:` before a value that begins so and is no reference
        error: this names neither a parameter nor a secret
          --> functions/f/function.json:4:20
          help: as in `ssm:/shop/db-password` or `secretsmanager:shop/db#password`
        error: `environment.A4.resolve` is `later`: it must be `deploy` or `function`
          --> functions/f/function.json:5:41
        error: `environment.A5.secret` is missing
          --> functions/f/function.json:6:9
        error: unknown key `key` in `environment.A5`
          --> functions/f/function.json:6:10
          help: the known keys are `resolve` and `secret`
        ",
        );
}
