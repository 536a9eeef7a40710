//! The least that IAM has to allow for a project: pure functions from the plans of its stages to policy documents.
//!
//! What is in a policy follows the kinds of resources that the plans have, not the single keys of the files. A stage that Lambda
//! answers brings all that such a stage may have: routes, keys, warm rules, reserved concurrency and the log groups, so that the
//! next key in function.json does not need another policy. What a project asks for in so many words, and what is another service
//! altogether, comes with that alone: servers, a bucket, derivatives, a network, a key of KMS, a role of its own.
//!
//! Resources are as narrow as names make them. API Gateway, EC2 and Application Auto Scaling give ids that nobody knows before;
//! there the path, the project's tag or the service narrows them.

mod actions;
mod document;
mod group;
mod hosted;
mod scope;
mod serverless;
#[cfg(test)]
mod tests;
mod trust;
mod uses;

pub(crate) use self::actions::{action, gateway_resource};
pub(crate) use self::document::Statement;
pub use self::document::{Document, LIMIT};
use self::group::Group;
pub use self::group::Part;
pub use self::scope::{ANY, Place, Scope};
pub use self::trust::{ISSUER, Subject, audience, trust};

/// Every permission that mdo may need.
fn groups() -> impl Iterator<Item = &'static Group> {
    serverless::GROUPS.iter().chain(hosted::GROUPS)
}

impl Scope {
    /// The policy for these parts of what mdo does, looking included.
    pub fn policy(&self, parts: &[Part]) -> Document {
        let all = [Part::Look, Part::Deploy, Part::Operate, Part::Destroy];
        let wanted = all.into_iter().filter(|part| *part == Part::Look || parts.contains(part));
        Document::new(self, wanted.flat_map(|part| groups().filter(move |group| group.part == part)))
    }
}
