//! What a project asks of AWS at its stages, as the plans tell that bring them up from nothing.

use std::collections::BTreeSet;

use mdo_model::project::{Names, Reference, Settings, ZipSource};
use mdo_model::stack::{self, Function, Kind, Plan, Resource, Selection, Stack};

/// What decides which permissions are needed, and on what.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    /// The kinds of resources that the stages have.
    pub kinds: BTreeSet<Kind>,
    /// Whether the project's file has to do with servers.
    pub knows_hosting: bool,
    /// The stages that servers answer.
    pub hosted: Vec<Names>,
    /// Whether any function has the project's own role.
    pub own_role: bool,
    /// The ARNs of other roles that functions have.
    pub roles: BTreeSet<String>,
    /// The ARNs of the roles that tasks run with.
    pub task_roles: BTreeSet<String>,
    /// The ARNs of layer versions that function.json names.
    pub layers: BTreeSet<String>,
    /// The ARNs of the keys that encrypt environments.
    pub kms_keys: BTreeSet<String>,
    pub has_vpc: bool,
    /// The ARNs of the managed policies that functions have.
    pub policies: BTreeSet<String>,
    /// The ARNs of the policies that bound the role.
    pub boundaries: BTreeSet<String>,
    /// The objects that go through the project's bucket, as `bucket/prefix*`.
    pub artifacts: BTreeSet<String>,
    /// What names values of variables that a deploy looks up.
    pub references: BTreeSet<Reference>,
    /// The zips that derivatives are taken from, as `bucket/key`.
    pub zips: BTreeSet<String>,
}

impl Uses {
    /// What a project uses at these stages.
    pub(super) fn of(stages: &[Settings]) -> Self {
        let mut uses = Self::default();
        stages.iter().for_each(|settings| uses.add(settings));
        uses
    }

    fn add(&mut self, settings: &Settings) {
        for change in plan(settings).changes {
            self.kinds.insert(change.id.kind);
            match change.after {
                Some(Resource::Function(function)) => self.add_function(*function),
                Some(Resource::Permissions(permissions)) => self.policies.extend(permissions.policies),
                Some(Resource::Role(role)) => self.boundaries.extend(role.boundary),
                Some(Resource::Server(server)) => self.task_roles.extend(server.task_role),
                _ => {}
            }
        }
        self.references.extend(settings.references().into_keys().cloned());
        self.knows_hosting |= settings.knows_hosting;
        self.hosted.extend(settings.server.as_ref().map(|_| settings.names()));
        let artifacts = settings.artifacts.as_ref();
        self.artifacts.extend(artifacts.map(|artifacts| match artifacts.prefix.trim_matches('/') {
            "" => format!("{}/*", artifacts.bucket),
            prefix => format!("{}/{prefix}/*", artifacts.bucket),
        }));
        self.zips.extend(settings.derivatives.values().filter_map(|derivative| match &derivative.zip {
            Some(ZipSource::S3 { bucket, key }) => Some(format!("{bucket}/{key}")),
            _ => None,
        }));
    }

    fn add_function(&mut self, function: Function) {
        match function.role.starts_with("arn:") {
            true => drop(self.roles.insert(function.role)),
            false => self.own_role = true,
        }
        self.layers.extend(function.configuration.layers);
        self.kms_keys.extend(function.configuration.kms_arn);
        self.has_vpc |= function.configuration.vpc.is_some();
    }
}

/// The plan of a first deploy, whatever the code of the functions is.
fn plan(settings: &Settings) -> Plan {
    let desired = stack::hosted(settings, "image").unwrap_or_else(|| stack::desired_of_any_code(settings));
    let nothing = (Stack::default(), BTreeSet::new(), BTreeSet::new());
    stack::plan(&settings.names(), desired, &nothing.0, &Selection::All, &nothing.1, &nothing.2)
}
