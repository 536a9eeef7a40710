//! The documents of the project's role: who may assume it and what it allows, written and read back.

use std::collections::BTreeSet;

use mdo_model::project::Tags;
use mdo_model::stack::Role;
use serde_json::{Value, json};

/// What stands in the model for a policy that mdo would not write.
const EDITED: &str = "(edited by hand)";

/// The trust policy that lets a service assume a role.
pub(crate) fn trust(service: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }],
    })
}

/// Whose account a role is in. Roles are global: in whichever region the project's functions are, they log there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub partition: &'a str,
    pub account: &'a str,
}

/// The inline policy: no more than logging to the project's own groups, and what its settings need.
pub(crate) fn permissions(role: &Role, place: Place<'_>) -> Value {
    let Place { partition, account } = place;
    let group = format!("arn:{partition}:logs:*:{account}:log-group:{}:*", role.log_groups);
    document(role, &json!(group))
}

/// The policy as mdo wrote it once, with a list of regions.
fn with_regions(role: &Role, place: Place<'_>, regions: &BTreeSet<String>) -> Value {
    let (Place { partition, account }, logs) = (place, &role.log_groups);
    let groups =
        regions.iter().map(|region| format!("arn:{partition}:logs:{region}:{account}:log-group:{logs}:*"));
    match groups.collect::<Vec<_>>().as_slice() {
        [one] => document(role, &json!(one)),
        several => document(role, &json!(several)),
    }
}

fn document(role: &Role, log_groups: &Value) -> Value {
    let mut logging = statement("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"], "");
    logging["Resource"] = log_groups.clone();
    let mut statements = vec![logging];
    for (index, grant) in role.grants.iter().enumerate() {
        statements.extend(granted(index, grant));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn granted(index: usize, grant: &str) -> Option<Value> {
    match grant.split_once(':') {
        None if grant == "vpc" => Some(statement(
            "Vpc",
            &[
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ],
            "*",
        )),
        None if grant == "tracing" => {
            Some(statement("Tracing", &["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"))
        }
        Some(("deadletter", arn)) => {
            let action = if arn.contains(":sns:") { "sns:Publish" } else { "sqs:SendMessage" };
            Some(statement(&format!("DeadLetter{index}"), &[action], arn))
        }
        Some(("kms", arn)) => Some(statement(&format!("Kms{index}"), &["kms:Decrypt"], arn)),
        _ => None,
    }
}

fn statement(sid: &str, actions: &[&str], resource: &str) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

/// Reads a role back from its inline policy, with the regions that an earlier mdo has listed there. One that mdo would not
/// write so differs from every desired one.
pub(crate) fn read(document: &Value, place: Place<'_>) -> (Role, BTreeSet<String>) {
    let Some((mut role, mut regions)) = read_statements(document) else {
        return (edited(), BTreeSet::new());
    };
    if permissions(&role, place) == *document {
        regions.clear();
    } else if with_regions(&role, place, &regions) == *document {
        let listed = regions.iter().cloned().collect::<Vec<_>>().join(", ");
        role.log_groups = format!("{} in {listed} alone", role.log_groups);
    } else {
        return (edited(), BTreeSet::new());
    }
    (role, regions)
}

/// A role whose policy is missing or not what mdo writes.
pub(crate) fn edited() -> Role {
    Role {
        trusted_service: "lambda.amazonaws.com".to_owned(),
        log_groups: EDITED.to_owned(),
        grants: BTreeSet::new(),
        boundary: None,
        tags: Tags::default(),
    }
}

fn read_statements(document: &Value) -> Option<(Role, BTreeSet<String>)> {
    let (mut role, mut regions) = (edited(), BTreeSet::new());
    for statement in document["Statement"].as_array()? {
        let resource = &statement["Resource"];
        let sid = statement["Sid"].as_str()?;
        if sid == "Logs" {
            let groups = resource.as_array().map_or(std::slice::from_ref(resource), Vec::as_slice);
            for group in groups {
                let (place, name) = group.as_str()?.split_once(":log-group:")?;
                regions.insert(place.split(':').nth(3)?.to_owned());
                role.log_groups = name.strip_suffix(":*")?.to_owned();
            }
            continue;
        }
        let resource = resource.as_str()?;
        match sid.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "Vpc" => drop(role.grants.insert("vpc".to_owned())),
            "Tracing" => drop(role.grants.insert("tracing".to_owned())),
            "DeadLetter" => drop(role.grants.insert(format!("deadletter:{resource}"))),
            "Kms" => drop(role.grants.insert(format!("kms:{resource}"))),
            _ => return None,
        }
    }
    Some((role, regions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(grants: &[&str]) -> Role {
        Role {
            trusted_service: "lambda.amazonaws.com".to_owned(),
            log_groups: "/aws/lambda/ml_api_*".to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            boundary: None,
            tags: Tags::default(),
        }
    }

    const PLACE: Place<'static> = Place { partition: "aws", account: "123456789012" };

    fn regions(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_policy_allows_logging_to_the_projects_groups_and_nothing_else() {
        assert_eq!(
            permissions(&role(&[]), PLACE),
            json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Sid": "Logs",
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": "arn:aws:logs:*:123456789012:log-group:/aws/lambda/ml_api_*:*",
                }],
            })
        );
    }

    #[test]
    fn every_grant_is_read_back() {
        let role = role(&[
            "deadletter:arn:aws:sns:eu-west-1:123456789012:failed",
            "deadletter:arn:aws:sqs:eu-west-1:123456789012:failed",
            "kms:arn:aws:kms:eu-west-1:123456789012:key/1234",
            "tracing",
            "vpc",
        ]);
        let document = permissions(&role, PLACE);
        assert_eq!(document["Statement"][1]["Action"], json!(["sns:Publish"]));
        assert_eq!(document["Statement"][2]["Action"], json!(["sqs:SendMessage"]));
        assert_eq!(read(&document, PLACE), (role, BTreeSet::new()));
    }

    #[test]
    fn a_policy_that_lists_regions_is_one_of_an_earlier_mdo_and_not_one_edited_by_hand() {
        for (names, listed) in
            [(&["eu-west-1"][..], "eu-west-1"), (&["eu-west-1", "us-east-1"], "eu-west-1, us-east-1")]
        {
            let used = regions(names);
            let (found, known) = read(&with_regions(&role(&["tracing"]), PLACE, &used), PLACE);
            assert_eq!(found.log_groups, format!("/aws/lambda/ml_api_* in {listed} alone"));
            assert_eq!((found.grants, known), (role(&["tracing"]).grants, used));
        }
    }

    #[test]
    fn a_policy_edited_by_hand_shows_as_drift() {
        let mut document = permissions(&role(&[]), PLACE);
        document["Statement"][0]["Action"] = json!("logs:*");
        assert_ne!(read(&document, PLACE).0, role(&[]));
        assert_ne!(read(&json!({}), PLACE).0, role(&[]));
    }
}
