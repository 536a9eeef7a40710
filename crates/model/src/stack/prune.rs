//! What deploys have left behind and nothing runs with any more, and the plan that removes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::plan::{Plan, change};
use super::resource::{Kind, Resource, ResourceId};
use crate::Sha256;
use crate::project::{DerivativeId, Names};

/// Every version that there is of what a project has versions of, over all of its stages.
#[derive(Clone, Debug, Default)]
pub struct LiveVersions {
    /// The layer versions that mdo has published for the project; nobody else's.
    pub layers: BTreeMap<LayerVersionId, LayerVersion>,
    /// Those that a function runs with, at whichever stage.
    pub layers_in_use: BTreeSet<LayerVersionId>,
}

/// Which version of which layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayerVersionId {
    /// The derivative that the layer is a part of.
    pub derivative: DerivativeId,
    /// Which part of it, from 1.
    pub part: usize,
    /// The number of the version; the newest has the highest, and no number comes twice.
    pub number: u64,
}

impl fmt::Display for LayerVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Names::part(&self.derivative, self.part), self.number)
    }
}

/// A version of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerVersion {
    /// The digest of everything that its derivative was built from.
    pub inputs: Sha256,
    /// What its zip takes, in bytes, where that is known.
    pub zipped: Option<u64>,
    /// What its files take, in bytes, where that is known.
    pub unzipped: Option<u64>,
    /// When it was published, as the provider writes it.
    pub published: Option<String>,
}

/// What a plan gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Bytes of storage.
    pub bytes: u64,
    /// Whether it is known of all that goes how large it is.
    pub is_all: bool,
}

/// Plans the removal of every version that nothing runs with, but for the newest `keep` of each layer.
pub fn prune(names: &Names, live: &LiveVersions, keep: usize) -> Plan {
    let mut newer: BTreeMap<(&DerivativeId, usize), usize> = BTreeMap::new();
    let mut changes = Vec::new();
    // The newest of each layer first.
    for (id, version) in live.layers.iter().rev() {
        let newer = newer.entry((&id.derivative, id.part)).or_default();
        if *newer >= keep && !live.layers_in_use.contains(id) {
            let before = Resource::LayerVersion(version.clone());
            changes.extend(change(ResourceId::new(Kind::LayerVersion, id), Some(&before), None));
        }
        *newer += 1;
    }
    changes.reverse();
    Plan { names: names.clone(), changes, kept: Vec::new(), checked: live.layers.len(), keeps_logs: false }
}

impl Plan {
    /// The storage that its deletions give back; `None` where nothing of known size goes.
    pub fn freed(&self) -> Option<Freed> {
        let sizes = self.deletions().filter_map(|change| match &change.before {
            Some(Resource::LayerVersion(version)) => Some(version.zipped),
            _ => None,
        });
        let sizes: Vec<Option<u64>> = sizes.collect();
        let known = sizes.iter().any(Option::is_some);
        let bytes = sizes.iter().flatten().sum();
        known.then(|| Freed { bytes, is_all: sizes.iter().all(Option::is_some) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names { project: "shop".parse().unwrap(), stage: "dev".parse().unwrap() }
    }

    fn id(derivative: &str, part: usize, number: u64) -> LayerVersionId {
        LayerVersionId {
            derivative: format!("{derivative}-python3_13-x86_64").parse().unwrap(),
            part,
            number,
        }
    }

    fn version(zipped: Option<u64>) -> LayerVersion {
        LayerVersion { inputs: Sha256::of(b"in"), zipped, unzipped: None, published: None }
    }

    fn live(numbers: impl IntoIterator<Item = u64>, in_use: &[u64]) -> LiveVersions {
        LiveVersions {
            layers: numbers
                .into_iter()
                .map(|number| (id("colours", 1, number), version(Some(number))))
                .collect(),
            layers_in_use: in_use.iter().map(|number| id("colours", 1, *number)).collect(),
        }
    }

    fn goes(plan: &Plan) -> Vec<&str> {
        plan.deletions().map(|change| change.id.name.rsplit(':').next().unwrap()).collect()
    }

    #[test]
    fn what_is_in_use_and_the_newest_stay_and_the_rest_goes() {
        let plan = prune(&names(), &live(1..=12, &[2, 12]), 5);
        assert_eq!(goes(&plan), ["1", "3", "4", "5", "6", "7"]);
        assert_eq!(plan.changes.len(), 6);
        assert_eq!(plan.checked, 12);
        assert_eq!(plan.freed(), Some(Freed { bytes: 26, is_all: true }));
        assert_eq!(plan.changes[0].id.full_name(&names()), "shop_colours-python3_13-x86_64:1");
        assert!(plan.changes.iter().all(|change| change.needs.is_empty()));
    }

    #[test]
    fn the_newest_are_counted_by_number_and_for_each_layer() {
        let mut versions = live([9, 10, 11], &[]);
        versions.layers.insert(id("colours", 2, 4), version(None));
        versions.layers.insert(id("shades", 1, 1), version(None));
        assert_eq!(goes(&prune(&names(), &versions, 1)), ["9", "10"]);
        let all = prune(&names(), &versions, 0);
        assert_eq!(all.changes.len(), 5);
        assert_eq!(all.changes[3].id.full_name(&names()), "shop_colours-python3_13-x86_64-2:4");
        assert_eq!(all.freed(), Some(Freed { bytes: 30, is_all: false }));
    }

    #[test]
    fn nothing_goes_where_nothing_is_left_behind() {
        assert!(prune(&names(), &LiveVersions::default(), 0).is_empty());
        let plan = prune(&names(), &live(1..=3, &[1, 2, 3]), 0);
        assert!(plan.is_empty());
        assert_eq!(plan.freed(), None);
    }
}
