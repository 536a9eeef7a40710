//! What the hosted stages of a project cannot have each for itself, because the load balancer is the project's.

use std::collections::BTreeSet;

use super::super::manifest::StageTable;
use super::super::problem::Problem;
use super::super::written::Project;
use super::super::{AccountId, StageName};
use super::Hosting;
use super::table::ServerTable;

/// Finds the keys of the load balancer that another hosted stage sets to something else: each deploy of the one would undo the
/// other's. Stages in other regions or accounts have load balancers of their own.
pub(super) fn check(project: &Project, stage: &StageName, table: &StageTable, problems: &mut Vec<Problem>) {
    let shared = &project.manifest.server;
    let own = shared.under(&table.server);
    for (other, others) in &project.manifest.stages {
        let is_hosted = other != stage && others.hosting == Some(Hosting::Server);
        if !is_hosted || place(project, others) != place(project, table) {
            continue;
        }
        for key in differing(&own, &shared.under(&others.server)) {
            let at =
                |stage: &StageName| project.document.key_place(&["stages", stage.as_str(), "server", key]);
            problems.push(
                Problem::new(format!(
                    "stages {stage} and {other} share the project's load balancer, and have another `{key}` each"
                ))
                .at(at(stage).or_else(|| at(other)))
                .help(format!("set `{key}` under [server] alone")),
            );
        }
    }
}

/// Where a stage lives, as far as the files say.
fn place<'a>(project: &'a Project, table: &'a StageTable) -> (Option<&'a String>, Option<&'a AccountId>) {
    let manifest = &project.manifest;
    (table.region.as_ref().or(manifest.region.as_ref()), table.account.as_ref().or(manifest.account.as_ref()))
}

fn differing(own: &ServerTable, other: &ServerTable) -> Vec<&'static str> {
    let subnets =
        |table: &ServerTable| -> BTreeSet<String> { table.subnets.iter().flatten().cloned().collect() };
    let differs = [
        ("certificate", own.certificate != other.certificate),
        ("http", own.http.unwrap_or(false) != other.http.unwrap_or(false)),
        ("subnets", subnets(own) != subnets(other)),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
