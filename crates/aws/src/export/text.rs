//! ARNs whose partition, region and account the other tool fills in, in CloudFormation's spelling, and where documents have them.

use mdo_model::project::Settings;
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

/// Names the secrets of servers by ARNs whose place is filled in once [`placed`] has seen them. What stands there meanwhile has no colon, by
/// which the parts of an ARN are told apart.
pub fn locate(settings: &mut Settings) {
    for secret in settings.server.iter_mut().flat_map(|server| server.secrets.values_mut()) {
        *secret = secret.located_in("@partition@", "@region@", "@account@");
    }
}

/// An ARN of such a secret, as it is written here.
pub(super) fn placed(arn: &str) -> String {
    arn.replace("@partition@", PARTITION).replace("@region@", REGION).replace("@account@", ACCOUNT)
}

/// Changes every text under a key, alone or in a list, however deep. Texts under other keys are the user's own.
pub(super) fn change(value: &mut Value, key: &str, to: &impl Fn(&str) -> Value) {
    match value {
        Value::Object(entries) => {
            for (name, entry) in entries {
                match entry {
                    Value::String(text) if name == key => *entry = to(text),
                    Value::Array(items) if name == key => {
                        let texts = items.iter_mut().filter(|item| item.is_string());
                        texts.for_each(|item| *item = to(item.as_str().unwrap_or_default()));
                    }
                    _ => change(entry, key, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| change(item, key, to)),
        _ => {}
    }
}
