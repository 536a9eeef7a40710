//! The documents of the project's role: who may assume it and what it allows, written and read back.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::stack::Role;

/// What stands in the model for a policy that mdo would not write.
const EDITED: &str = "(edited by hand)";

/// The trust policy.
pub(super) fn trust(role: &Role) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": role.trusted_service},
            "Action": "sts:AssumeRole",
        }],
    })
}

/// The inline policy: no more than logging to the project's own groups, and what its settings need.
///
/// Roles are global, so the log groups are those of every region.
pub(super) fn permissions(role: &Role, partition: &str, account: &str) -> Value {
    let logs = &role.log_groups;
    let mut statements = vec![statement(
        "Logs",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        &format!("arn:{partition}:logs:*:{account}:log-group:{logs}:*"),
    )];
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

/// Reads a role back from its inline policy. One that mdo would not have written differs from every desired one.
pub(super) fn read(document: &Value, partition: &str, account: &str) -> Role {
    let role = read_statements(document).unwrap_or_else(edited);
    if permissions(&role, partition, account) == *document { role } else { edited() }
}

/// A role whose policy is missing or not what mdo writes.
pub(super) fn edited() -> Role {
    Role {
        trusted_service: "lambda.amazonaws.com".to_owned(),
        log_groups: EDITED.to_owned(),
        grants: BTreeSet::new(),
    }
}

fn read_statements(document: &Value) -> Option<Role> {
    let mut role = edited();
    for statement in document["Statement"].as_array()? {
        let resource = statement["Resource"].as_str()?;
        let sid = statement["Sid"].as_str()?;
        match sid.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "Logs" => {
                role.log_groups = resource.split_once(":log-group:")?.1.strip_suffix(":*")?.to_owned();
            }
            "Vpc" => drop(role.grants.insert("vpc".to_owned())),
            "Tracing" => drop(role.grants.insert("tracing".to_owned())),
            "DeadLetter" => drop(role.grants.insert(format!("deadletter:{resource}"))),
            "Kms" => drop(role.grants.insert(format!("kms:{resource}"))),
            _ => return None,
        }
    }
    Some(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(grants: &[&str]) -> Role {
        Role {
            trusted_service: "lambda.amazonaws.com".to_owned(),
            log_groups: "/aws/lambda/ml_api_*".to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
        }
    }

    #[test]
    fn the_policy_allows_logging_to_the_projects_groups_and_nothing_else() {
        assert_eq!(
            permissions(&role(&[]), "aws", "123456789012"),
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
        let document = permissions(&role, "aws", "123456789012");
        assert_eq!(document["Statement"][1]["Action"], json!(["sns:Publish"]));
        assert_eq!(document["Statement"][2]["Action"], json!(["sqs:SendMessage"]));
        assert_eq!(read(&document, "aws", "123456789012"), role);
    }

    #[test]
    fn a_policy_edited_by_hand_shows_as_drift() {
        let mut document = permissions(&role(&[]), "aws", "123456789012");
        document["Statement"][0]["Action"] = json!("logs:*");
        assert_ne!(read(&document, "aws", "123456789012"), role(&[]));
        assert_ne!(read(&json!({}), "aws", "123456789012"), role(&[]));
    }
}
