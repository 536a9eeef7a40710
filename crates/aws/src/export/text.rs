//! ARNs whose partition, region and account the other tool fills in, in CloudFormation's spelling, and where documents have them.

use serde_json::Value;

use crate::iam::Place;

pub(super) const PARTITION: &str = "${AWS::Partition}";
pub(super) const REGION: &str = "${AWS::Region}";
pub(super) const ACCOUNT: &str = "${AWS::AccountId}";

/// An account that is filled in.
pub(super) const ANYWHERE: Place<'static> = Place { partition: PARTITION, account: ACCOUNT };

/// What the ARNs of a definition's integrations are under.
pub(super) const URI: &str = "uri";

/// What the ARNs of a policy are under.
pub(super) const RESOURCE: &str = "Resource";

/// Changes every text under a key, however deep. Texts under other keys are the user's own.
pub(super) fn change(value: &mut Value, key: &str, to: &impl Fn(&str) -> Value) {
    match value {
        Value::Object(entries) => {
            for (name, entry) in entries {
                match entry.as_str() {
                    Some(text) if name == key => *entry = to(text),
                    _ => change(entry, key, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| change(item, key, to)),
        _ => {}
    }
}
