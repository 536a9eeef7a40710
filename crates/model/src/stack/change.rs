//! What happens to one resource, and which of its fields differ.

use serde::Serialize;
use serde_json::Value;

use super::diff::{FieldChange, diff};
use super::identity::ResourceId;
use super::resource::Resource;

/// One resource that has to change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resource.
    pub id: ResourceId,
    /// What happens to it.
    pub action: Action,
    /// The fields that differ; on creation and deletion, all of them.
    pub fields: Vec<FieldChange>,
    /// The changes of this plan that must be usable before this one can be done.
    pub needs: Vec<ResourceId>,
    /// The resource as observed; `None` on creation.
    pub before: Option<Resource>,
    /// The resource as desired; `None` on deletion.
    pub after: Option<Resource>,
    /// Whether other stages keep what is deleted here: of a function, its alias alone goes.
    pub lives_on: bool,
}

impl Change {
    /// Whether what a deployment of the API's stage holds differs.
    pub fn touches_definition(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(Resource::Stage(before)), Some(Resource::Stage(after))) => {
                before.definition != after.definition || before.deployed_by_mdo != after.deployed_by_mdo
            }
            _ => true,
        }
    }

    fn fields_at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a FieldChange> {
        self.fields.iter().filter(move |field| {
            let below = field.path.strip_prefix(path);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Whether the field at `path`, or a field below it, differs.
    pub fn touches(&self, path: &str) -> bool {
        self.fields_at(path).next().is_some()
    }
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are plain words")]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// The change of one resource; `None` where it is as it should be.
pub(super) fn change(id: ResourceId, before: Option<&Resource>, after: Option<&Resource>) -> Option<Change> {
    let value = |resource: Option<&Resource>| {
        resource.and_then(|resource| serde_json::to_value(resource).ok()).unwrap_or(Value::Null)
    };
    let action = match (before, after) {
        (None, Some(_)) => Action::Create,
        (Some(_), None) => Action::Delete,
        _ => Action::Update,
    };
    let fields = diff(&value(before), &value(after));
    (before != after && !fields.is_empty()).then(|| Change {
        id,
        action,
        fields,
        needs: Vec::new(),
        before: before.cloned(),
        after: after.cloned(),
        lives_on: false,
    })
}
