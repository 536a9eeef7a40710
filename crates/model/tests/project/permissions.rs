//! What files permit functions to do on AWS.

use super::given::{Given, MINIMAL, name};

#[test]
fn a_function_has_the_defaults_permissions_and_its_own() {
    let given = Given::project(
        r#"
name = "x"
permissions_boundary = "arn:aws:iam::123456789012:policy/team/boundary"
[defaults]
permissions = [{ allow = ["s3:GetObject"], on = ["arn:aws:s3:::shared/*"] }]
"#,
    )
    .function("plain", "{}")
    .function(
        "own",
        r#"{"permissions": [
            {"allow": ["s3:GetObject", "s3:Put*"], "on": ["arn:aws:s3:::own/*"]},
            "arn:aws:iam::aws:policy/AmazonSQSFullAccess"
        ]}"#,
    );
    let settings = given.at("dev");
    let shown = |function: &str| {
        let permissions = &settings.functions[&name(function)].permissions;
        let allowed = permissions.allow.iter().map(|(action, on)| format!("{action} {on:?}"));
        allowed.chain(permissions.policies.iter().cloned()).collect::<Vec<_>>()
    };
    assert_eq!(shown("plain"), [r#"s3:GetObject {"arn:aws:s3:::shared/*"}"#]);
    assert_eq!(
        shown("own"),
        [
            r#"s3:GetObject {"arn:aws:s3:::own/*", "arn:aws:s3:::shared/*"}"#,
            r#"s3:Put* {"arn:aws:s3:::own/*"}"#,
            "arn:aws:iam::aws:policy/AmazonSQSFullAccess",
        ]
    );
    let boundary = settings.permissions_boundary.as_deref();
    assert_eq!(boundary, Some("arn:aws:iam::123456789012:policy/team/boundary"));
}

#[test]
fn what_is_no_permission_is_refused_where_it_stands() {
    Given::project(MINIMAL)
        .function(
            "f",
            r#"{"permissions": [
  {"allow": ["GetObject"], "on": ["bucket"]},
  {"allow": [], "on": "arn:aws:s3:::bucket"},
  {"alow": ["s3:*"], "on": ["*"]},
  "arn:aws:iam::aws:role/x",
  7
]}"#,
        )
        .fails_with(
            "
        error: `GetObject` is not an action of IAM: a service and an operation
          --> functions/f/function.json:2:14
          help: as in `s3:GetObject`, or `s3:Get*` for all that begin so
        error: `bucket` is not the ARN of a resource, nor a pattern of one
          --> functions/f/function.json:2:35
          help: as in `arn:aws:s3:::bucket/*`; `*` is every resource
        error: `permissions[1].allow` has 0 entries: 1 is the least
          --> functions/f/function.json:3:13
        error: `permissions[1].on` must be an array, not a string
          --> functions/f/function.json:3:23
        error: `permissions[2].allow` is missing
          --> functions/f/function.json:4:3
        error: unknown key `alow` in `permissions[2]`
          --> functions/f/function.json:4:4
          help: did you mean `allow`?
        error: `arn:aws:iam::aws:role/x` is not the ARN of a managed policy
          --> functions/f/function.json:5:3
          help: as in `arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess`
        error: `permissions[4]` must be a string or an object, not a number
          --> functions/f/function.json:6:3
        ",
        );
}

#[test]
fn permissions_for_a_role_of_somebody_elses_are_refused() {
    let role = "arn:aws:iam::123456789012:role/own";
    Given::project(MINIMAL)
        .function(
            "f",
            &format!("{{\"role\": \"{role}\",\n \"permissions\": [\"arn:aws:iam::aws:policy/AmazonSQSFullAccess\"]}}"),
        )
        .fails_with("
        error: `permissions` would change nothing: function f runs as arn:aws:iam::123456789012:role/own, which mdo does not touch
          --> functions/f/function.json:2:2
          help: give that role the permissions yourself, or remove `role` to use the one that mdo makes
        ");
    Given::project(&format!("name = \"x\"\nrole = \"{role}\"\n[defaults]\npermissions = []\n"))
        .function("f", "{}")
        .fails_with("
        error: `permissions` would change nothing: `role` of project.toml is arn:aws:iam::123456789012:role/own, which mdo does not touch
          --> project.toml:4:1
          help: give that role the permissions yourself, or remove `role` to use the one that mdo makes
        ");
}
