//! What deploys have left behind and nothing runs with any more, and the plan that removes it.

mod live_versions;

use std::collections::{BTreeMap, BTreeSet};

pub use live_versions::{
    Artifact, Deployment, DeploymentId, FunctionVersion, FunctionVersionId, Image, LayerVersion,
    LayerVersionId, LiveVersions, Revision, RevisionId,
};

use super::change::{Change, change};
use super::identity::{Kind, ResourceId};
use super::plan::Plan;
use super::resource::Resource;
use crate::Sha256;
use crate::project::Names;

/// What a plan gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Bytes of storage.
    pub bytes: u64,
    /// Whether it is known of all that goes how large it is.
    pub is_all: bool,
}

/// Plans the removal of every version that nothing runs with, and of every deployment that nothing serves, but for the newest `keep` of
/// each layer, and of what each stage has made of each function, of the API and of its servers. An image goes where no revision that stays
/// needs it, and where it is older than one that is needed: a newer one may be on its way to become a revision. A package in the bucket goes
/// where no version that stays is made of it, but for the newest `keep`: those of layers, and what a deploy is about to publish.
pub fn prune(names: &Names, live: &LiveVersions, keep: usize) -> Plan {
    let layers = live.layers.iter().rev().map(|(id, version)| {
        let group = (&id.derivative, id.part);
        (
            group,
            live.layers_in_use.contains(id),
            (Kind::LayerVersion, id.to_string()),
            Resource::LayerVersion(version.clone()),
        )
    });
    let functions = live.functions.iter().rev().map(|(id, version)| {
        let group = (&id.function, &version.stage);
        let resource = Resource::FunctionVersion(version.clone());
        (group, live.functions_in_use.contains(id), (Kind::FunctionVersion, id.to_string()), resource)
    });
    let deployments = live.deployments.iter().map(|(id, deployment)| {
        let resource = Resource::Deployment(deployment.clone());
        let is_used = live.deployments_in_use.contains(id);
        (&deployment.stage, is_used, (Kind::Deployment, id.to_string()), resource)
    });
    let revisions = live.revisions.iter().rev().map(|(id, revision)| {
        let resource = Resource::Revision(revision.clone());
        let is_used = live.revisions_in_use.contains(id);
        (&id.stage, is_used, (Kind::Revision, id.to_string()), resource)
    });
    let revisions = beyond(keep, revisions);
    let images = unneeded(live, &revisions);
    let functions = beyond(keep, functions);
    let artifacts = left_in_bucket(live, &functions, keep);
    let (layers, deployments) = (beyond(keep, layers), beyond(keep, deployments));
    let all = [layers, functions, deployments, revisions, images, artifacts];
    let changes = all.into_iter().flatten();
    let changes =
        changes.filter_map(|((kind, name), before)| change(ResourceId::new(kind, name), Some(&before), None));
    let mut changes: Vec<_> = changes.collect();
    let going: Vec<ResourceId> = changes.iter().map(|change: &Change| change.id.clone()).collect();
    // An image and a package go after what needed them, and stay where that stays.
    for change in &mut changes {
        let (kind, needing) = match &change.before {
            Some(Resource::Image(_)) => (Kind::Revision, revisions_of(&change.id.name, live)),
            Some(Resource::Artifact(artifact)) => (Kind::FunctionVersion, versions_of(artifact.sha256, live)),
            _ => continue,
        };
        let needing = |id: &&ResourceId| id.kind == kind && needing.contains(&id.name);
        change.needs = going.iter().filter(needing).cloned().collect();
    }
    Plan { names: names.clone(), changes, kept: Vec::new(), checked: live.count(), keeps_logs: false }
}

/// The names of the revisions that need an image.
fn revisions_of(digest: &str, live: &LiveVersions) -> BTreeSet<String> {
    let needing = live.revisions.iter().filter(|(_, revision)| revision.image.as_deref() == Some(digest));
    needing.map(|(id, _)| id.to_string()).collect()
}

/// The names of the versions that are made of a package.
fn versions_of(code: Sha256, live: &LiveVersions) -> BTreeSet<String> {
    let made_of_it = live.functions.iter().filter(|(_, version)| version.code == Some(code));
    made_of_it.map(|(id, _)| id.to_string()).collect()
}

/// The images that no revision needs but those that go, oldest first.
fn unneeded(live: &LiveVersions, going: &[((Kind, String), Resource)]) -> Vec<((Kind, String), Resource)> {
    let goes = |id: &RevisionId| going.iter().any(|((_, name), _)| *name == id.to_string());
    let staying = live.revisions.iter().filter(|(id, _)| !goes(id));
    let needed: BTreeSet<&str> = staying.filter_map(|(_, revision)| revision.image.as_deref()).collect();
    // What is newer than all that is needed may be on its way.
    let pushed = live.images.iter().filter(|(digest, _)| needed.contains(digest.as_str()));
    let newest = pushed.map(|(_, image)| &image.pushed).max();
    let unneeded = live.images.iter().filter(|(digest, image)| {
        !needed.contains(digest.as_str()) && newest.is_some_and(|newest| image.pushed <= *newest)
    });
    let mut old: Vec<_> = unneeded
        .map(|(digest, image)| ((Kind::Image, digest.clone()), Resource::Image(image.clone())))
        .collect();
    old.reverse();
    old
}

/// The packages in the bucket that nothing which stays is made of, but for the newest `keep` of them; oldest first.
fn left_in_bucket(
    live: &LiveVersions,
    going: &[((Kind, String), Resource)],
    keep: usize,
) -> Vec<((Kind, String), Resource)> {
    let goes = |id: &FunctionVersionId| going.iter().any(|((_, name), _)| *name == id.to_string());
    let staying = live.functions.iter().filter(|(id, _)| !goes(id));
    let mut needed: BTreeSet<Sha256> = staying.filter_map(|(_, version)| version.code).collect();
    needed.extend(&live.packages_in_use);
    let unneeded = live.artifacts.iter().filter(|(_, artifact)| !needed.contains(&artifact.sha256));
    let all = unneeded.map(|(address, artifact)| {
        ((), false, (Kind::Artifact, address.clone()), Resource::Artifact(artifact.clone()))
    });
    beyond(keep, all)
}

/// What is not in use and not among the newest `keep` of its group, oldest first; `all` has the newest of each group first.
fn beyond<Group: Ord, Id>(
    keep: usize,
    all: impl Iterator<Item = (Group, bool, Id, Resource)>,
) -> Vec<(Id, Resource)> {
    let mut newer: BTreeMap<Group, usize> = BTreeMap::new();
    let mut old = Vec::new();
    for (group, is_used, id, resource) in all {
        let newer = newer.entry(group).or_default();
        if *newer >= keep && !is_used {
            old.push((id, resource));
        }
        *newer += 1;
    }
    old.reverse();
    old
}

impl Plan {
    /// The storage that its deletions give back; `None` where nothing of known size goes.
    pub fn freed(&self) -> Option<Freed> {
        let sizes = self.deletions().filter_map(|change| match &change.before {
            Some(Resource::LayerVersion(version)) => Some(version.zipped),
            Some(Resource::FunctionVersion(version)) => Some(version.zipped),
            Some(Resource::Image(image)) => Some(image.bytes),
            Some(Resource::Artifact(artifact)) => Some(artifact.bytes),
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
            ..LiveVersions::default()
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
    fn an_image_goes_with_the_last_revision_that_needs_it_and_a_newer_one_stays() {
        let id = |stage: &str, number| RevisionId { stage: stage.parse().unwrap(), number };
        let revision = |image: &str| Revision { image: Some(image.to_owned()), registered: None };
        let image = |(digest, day): (&str, u32)| {
            (digest.to_owned(), Image { bytes: Some(7), pushed: Some(format!("2026-11-{day}")) })
        };
        let live = LiveVersions {
            revisions: BTreeMap::from([
                (id("prod", 1), revision("a")),
                (id("prod", 2), revision("b")),
                (id("prod", 3), revision("c")),
                (id("test", 8), revision("b")),
                (id("test", 9), revision("d")),
            ]),
            revisions_in_use: BTreeSet::from([id("prod", 3), id("test", 8)]),
            images: [("new", 15), ("d", 14), ("odd", 14), ("c", 13), ("b", 12), ("a", 11)]
                .map(image)
                .to_vec(),
            ..LiveVersions::default()
        };
        let plan = prune(&names(), &live, 1);
        let gone: Vec<String> = plan.deletions().map(|change| change.id.full_name(&names())).collect();
        assert_eq!(gone, ["shop-prod:1", "shop-prod:2", "shop@a", "shop@odd"]);
        assert_eq!(plan.freed(), Some(Freed { bytes: 14, is_all: true }));
        let needs: Vec<String> = plan.changes[2].needs.iter().map(|id| id.name.clone()).collect();
        assert_eq!(needs, ["prod:1"]);
        // Without a revision nothing is known to be old.
        let live = LiveVersions { images: live.images, ..LiveVersions::default() };
        assert!(prune(&names(), &live, 1).is_empty());
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
    fn of_functions_and_deployments_each_stage_keeps_its_newest_and_whatever_is_live() {
        let version = |number: u64, stage: &str| {
            let id = FunctionVersionId { function: "cart".parse().unwrap(), number };
            let stage = stage.parse().ok();
            (id, FunctionVersion { stage, zipped: Some(10), published: None, code: None })
        };
        let deployment = |id: &str, stage: &str| {
            let id = DeploymentId { api: "api".into(), id: id.into() };
            (id, Deployment { stage: stage.parse().unwrap(), created: None })
        };
        let versions = [(1, "prod"), (2, "dev"), (3, "dev"), (4, "dev"), (5, "dev"), (6, "")];
        let mut live = LiveVersions {
            functions: versions.map(|(number, stage)| version(number, stage)).into(),
            deployments: vec![
                deployment("e", "dev"),
                deployment("d", "prod"),
                deployment("c", "dev"),
                deployment("b", "dev"),
                deployment("a", "prod"),
            ],
            ..LiveVersions::default()
        };
        live.functions_in_use.insert(version(2, "").0);
        live.deployments_in_use.insert(deployment("b", "dev").0);
        let plan = prune(&names(), &live, 1);
        let gone: Vec<String> = plan.deletions().map(|change| change.id.to_string()).collect();
        assert_eq!(gone, ["version cart:3", "version cart:4", "deployment api/a", "deployment api/c"]);
        assert_eq!(plan.freed(), Some(Freed { bytes: 20, is_all: true }));
        assert_eq!(plan.checked, 11);
        assert_eq!(plan.changes[0].id.full_name(&names()), "shop_cart:3");
    }

    #[test]
    fn a_package_in_the_bucket_goes_with_the_last_version_that_is_made_of_it() {
        let version = |number: u64, code: &[u8]| {
            let id = FunctionVersionId { function: "cart".parse().unwrap(), number };
            let (stage, code) = ("dev".parse().ok(), Some(Sha256::of(code)));
            (id, FunctionVersion { stage, zipped: Some(10), published: None, code })
        };
        let artifact = |content: &str| {
            let sha256 = Sha256::of(content.as_bytes());
            (format!("s3://b/{content}.zip"), Artifact { sha256, bytes: Some(3), uploaded: None })
        };
        let live = LiveVersions {
            functions: BTreeMap::from([version(1, b"a"), version(2, b"b"), version(3, b"c")]),
            artifacts: ["coming", "layer", "latest", "c", "b", "a"].map(artifact).to_vec(),
            packages_in_use: BTreeSet::from([Sha256::of(b"latest")]),
            ..LiveVersions::default()
        };
        let gone = |keep: usize| -> Vec<String> {
            let plan = prune(&names(), &live, keep);
            plan.deletions().map(|change| change.id.full_name(&names())).collect()
        };
        assert_eq!(gone(2), ["shop_cart:1", "s3://b/a.zip"]);
        assert_eq!(
            gone(1),
            ["shop_cart:1", "shop_cart:2", "s3://b/a.zip", "s3://b/b.zip", "s3://b/layer.zip"]
        );
        let plan = prune(&names(), &live, 2);
        let needs: Vec<String> = plan.changes[1].needs.iter().map(|id| id.name.clone()).collect();
        assert_eq!(
            (needs, plan.freed()),
            (vec!["cart:1".to_owned()], Some(Freed { bytes: 13, is_all: true }))
        );
    }

    #[test]
    fn nothing_goes_where_nothing_is_left_behind() {
        assert!(prune(&names(), &LiveVersions::default(), 0).is_empty());
        let plan = prune(&names(), &live(1..=3, &[1, 2, 3]), 0);
        assert!(plan.is_empty());
        assert_eq!(plan.freed(), None);
    }
}
