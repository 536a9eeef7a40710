//! The table of permissions against the source: every operation that is sent has its permission, and none is there for nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::group::On;
use super::{actions, groups};

/// Operations that need no permission, and what `doctor` tries alone: it says so where it is not allowed.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
const FREE: [&str; 2] = ["sts:GetCallerIdentity", "iam:SimulatePrincipalPolicy"];

/// What the crate sends: the first argument of each `call` and `send`.
fn sent() -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let named = code.split(".call(").chain(code.split(".send(")).skip(1).filter_map(|rest| {
                let first = rest.trim_start();
                let literal = first.strip_prefix('"').and_then(|rest| rest.split('"').next());
                let constant = || {
                    let name = first.split(|c: char| !c.is_ascii_uppercase() && c != '_').next()?;
                    let is_name = !name.is_empty() && first[name.len()..].starts_with(',');
                    let line = code.split(&format!("const {name}: &str = \"")).nth(1).filter(|_| is_name)?;
                    line.split('"').next()
                };
                literal.or_else(constant).filter(|operation| operation.contains(':'))
            });
            sent.extend(named.map(str::to_owned));
        }
    }
    sent
}

/// What a person does once, with permissions of their own, as the README says: takes over an API that was made by hand.
const BY_A_PERSON: [&str; 2] = ["apigateway:GetExport", "apigateway:UpdateRestApi"];

#[test]
fn every_operation_that_is_sent_has_its_permission_and_no_other_has() {
    let known: BTreeSet<String> =
        groups().flat_map(|group| group.operations).map(|operation| (*operation).to_owned()).collect();
    let sent: BTreeSet<String> = sent()
        .into_iter()
        .filter(|operation| ![&FREE[..], &BY_A_PERSON].concat().contains(&operation.as_str()))
        .collect();
    let missing: Vec<&String> = sent.difference(&known).collect();
    let idle: Vec<&String> = known.difference(&sent).collect();
    assert!(missing.is_empty(), "give these a permission, in crates/aws/src/policy: {missing:?}");
    assert!(idle.is_empty(), "nothing sends these: {idle:?}");
}

#[test]
fn every_operation_of_api_gateway_has_its_path() {
    for operation in
        groups().filter(|group| matches!(group.on, On::Gateway)).flat_map(|group| group.operations)
    {
        assert!(actions::gateway_path(operation).is_some(), "{operation}");
    }
}
