//! `mdo prune`: what no stage runs with goes, and nothing else.

use std::time::Duration;

use mdo_model::Sha256;
use serde_json::json;

use super::layers::Layers;
use super::painting::Painting;
use super::publishing::deployed;
use crate::live::{Live, text};
use crate::support::disturbance::{Disturbance, Moment};
use crate::support::project::TestProject;
use crate::support::proxy::{Fault, Proxy};

/// Publishes a version of a layer as a deploy of the project `shop` that was built from `edition` would have.
pub(crate) fn leaves_behind(project: &TestProject, layer: &str, edition: &str) {
    publish_for("shop", project, layer, edition);
}

fn publish_for(owner: &str, project: &TestProject, layer: &str, edition: &str) {
    let (inputs, zip) = (Sha256::of(edition.as_bytes()), Sha256::of(b"zip"));
    let description = format!("mdo {owner} {inputs} part=1/1 zip={zip} raw=3145728 size=1048576");
    Layers::of(project).publish(layer, &description);
}

fn leave_behind(project: &TestProject, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        leaves_behind(project, &Painting::layer("colours"), &number.to_string());
    }
}

#[test]
fn what_no_stage_runs_with_goes_but_for_the_newest_and_what_is_not_ours() {
    let Some((project, proxy)) = deployed() else { return };
    project.mdo("deploy --stage prod").exits(0);
    leave_behind(&project, 2..=8);
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    layers.publish(&layer, "an edition of somebody else");
    publish_for("shop_two", &project, &layer, "another project's");

    let refused = project.mdo("prune --keep 2").through(&proxy).exits(2);
    refused
        .says("error: this would delete 5 layer versions")
        .says("help: pass --yes where there is no terminal");
    let tried = project.mdo("prune --keep 2 --dry-run").through(&proxy).succeeds();
    tried.says(&format!("  - layer version  {layer}:2  1.0 MB zipped, 3.0 MB unzipped, of 20"));
    tried.says("  5 to delete, nothing to create or update; frees 5.0 MB\n");
    assert_eq!(proxy.recording().writes().len(), 0, "{:#?}", proxy.recording().names());
    assert_eq!(layers.numbers(&layer), (1..=10).rev().collect::<Vec<_>>());

    let pruned = project.mdo("prune --keep 2 --yes --stage prod").succeeds();
    pruned.says(&format!("layer version {}:6", &layer["shop_".len()..])).says("\nPruned in ");
    assert_eq!(layers.numbers(&layer), [10, 9, 8, 7, 1]);
    let again = project.mdo("prune --keep 2 --yes").succeeds();
    again.says("  nothing to prune (checked 7 versions)\n");
    for stage in ["dev", "prod"] {
        assert_eq!(Live::of(&project, stage).echo("paint"), Painting::answer("1.0", 1), "{stage}");
        project.is_settled(&format!("--stage {stage}"));
    }
}

#[test]
fn what_any_stage_runs_with_stays_however_it_is_pruned() {
    let Some((project, _)) = deployed() else { return };
    project.mdo("deploy --stage prod").exits(0);
    Painting::wants(&project, "colours", "colours==2.0");
    project.deploys("");
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    let nothing_of_layers = |flags: &str| {
        let pruned = project.mdo(&format!("prune --keep 0 --yes {flags}")).succeeds();
        assert!(!pruned.stdout.contains("layer version"), "{}", pruned.transcript());
    };
    // Nobody points at dev's first version any more.
    nothing_of_layers("");
    project.mdo("prune --keep 0 --yes --stage prod").succeeds().says("nothing to prune");

    let live = Live::of(&project, "dev");
    let served = || text(&live.function("paint")["Configuration"]["Version"]);
    let coloured = served();
    project.set("paint", "derivatives", json!(null));
    project.deploys("");
    // Neither `$LATEST` nor dev's alias has any layer now, but a share of what calls somebody's own alias meets the old version.
    let plain = served();
    let canary = json!({
        "FunctionName": "shop_paint", "Name": "canary", "FunctionVersion": plain,
        "RoutingConfig": {"AdditionalVersionWeights": {coloured.as_str(): 0.1}},
    });
    live.call("lambda", "create_alias", canary);
    project.mdo("prune --keep 0 --yes").succeeds().says("nothing to prune");
    live.call("lambda", "delete_alias", json!({"FunctionName": "shop_paint", "Name": "canary"}));
    let pruned = project.mdo("prune --keep 0 --yes").succeeds();
    // A version of a function and its layer's go together.
    pruned.says(&format!("- version        shop_paint:{coloured}")).says("Pruned in ");
    assert_eq!(layers.numbers(&layer), [1]);
    assert_eq!(Live::of(&project, "prod").echo("paint"), Painting::answer("1.0", 1));
    assert_eq!(served(), plain);
}

#[test]
fn a_prune_makes_a_handful_of_reads_and_a_deletion_for_each_version() {
    let Some((project, proxy)) = deployed() else { return };
    project.mdo("deploy --stage prod").exits(0);
    leave_behind(&project, 2..=4);
    project.mdo("prune --keep 1 --yes").through(&proxy).succeeds();
    let mut names = proxy.recording().names();
    names.sort();
    assert_eq!(
        names,
        [
            // The API by its name, its deployments, and which stage serves which.
            "apigateway:GetDeployments",
            "apigateway:GetRestApis",
            "apigateway:GetStages",
            "lambda:DeleteLayerVersion",
            "lambda:DeleteLayerVersion",
            // Of each function whose it is, and its versions. Of each function its aliases, of each of their versions its layers: to plan, and before anything goes.
            "lambda:GetFunction",
            "lambda:GetFunction",
            "lambda:GetFunction",
            "lambda:GetFunction",
            "lambda:GetFunction",
            "lambda:ListAliases",
            "lambda:ListAliases",
            "lambda:ListAliases",
            "lambda:ListFunctions",
            "lambda:ListFunctions",
            "lambda:ListLayerVersions",
            "lambda:ListLayers",
            "lambda:ListVersionsByFunction",
        ]
    );
}

#[test]
fn a_prune_reads_as_one_json_document_with_or_without_being_done() {
    let Some((project, _)) = deployed() else { return };
    leave_behind(&project, 2..=3);
    let layer = Painting::layer("colours");
    let plan = project.mdo("prune --keep 1 --dry-run --json").json();
    assert_eq!(plan["summary"], json!({"create": 0, "update": 0, "delete": 1}));
    assert_eq!((&plan["freed_bytes"], &plan["checked"]), (&json!(1_048_576), &json!(5)));
    let change = &plan["changes"][0];
    assert_eq!(change["resource"], "layer_version");
    assert_eq!((text(&change["name"]), text(&change["action"])), (format!("{layer}:2"), "delete".to_owned()));
    assert_eq!(change["outcome"], json!(null));
    let done = project.mdo("prune --keep 1 --yes --json").json();
    assert_eq!(done["changes"][0]["outcome"], "done");
    let nothing = project.mdo("prune --keep 1 --json").json();
    assert_eq!((&nothing["changes"], &nothing["checked"]), (&json!([]), &json!(4)));
    let (status, stdout, _) = project.mdo("prune --keep 0 --json").begins().ends();
    assert_eq!(status, 2);
    let refused: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(refused["error"]["message"], "this would delete 1 layer version");
}

#[test]
fn a_version_that_a_deploy_takes_up_meanwhile_is_kept() {
    let Some((project, proxy)) = deployed() else { return };
    Painting::wants(&project, "colours", "colours==2.0");
    project.deploys("");
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    leave_behind(&project, 3..=3);
    // The plan is made; what functions run with is about to be read again.
    proxy.disturb("ListFunctions", 2, Disturbance::Halt(Moment::Before));
    let mut pruning = project.mdo("prune --keep 0 --yes").through(&proxy).begins();
    proxy.until_halted(|| pruning.has_ended());
    Painting::wants(&project, "colours", "colours==1.0");
    project.mdo("deploy --yes").exits(0);
    leave_behind(&project, 4..=4);
    proxy.let_go();
    let (status, stdout, stderr) = pruning.ends();
    assert_eq!(status, 0, "{stdout}{stderr}");
    let kept = format!(
        "warning: layer version {}:1: kept, because a function has come to run with it",
        &layer["shop_".len()..]
    );
    assert!(stderr.contains(&kept), "{stderr}");
    assert_eq!(layers.numbers(&layer), [4, 2, 1], "what came later was never looked at");
    assert_eq!(layers.0.echo("paint"), Painting::answer("1.0", 1));
}

#[test]
fn a_prune_that_is_not_allowed_ends_with_4_and_one_that_stops_half_way_with_5() {
    let Some((project, _)) = deployed() else { return };
    leave_behind(&project, 2..=4);
    let address = project.account().emulator().address();
    let proxy = Proxy::start(address, Duration::ZERO);
    proxy.fail_next("DeleteLayerVersion", usize::MAX, Fault::denied("lambda:DeleteLayerVersion"));
    project.mdo("prune --keep 0 --yes").through(&proxy).exits(4).says("lambda:DeleteLayerVersion");
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    assert_eq!(layers.numbers(&layer), [4, 3, 2, 1]);

    let proxy = Proxy::start(address, Duration::ZERO);
    proxy.fail_next("DeleteLayerVersion", 1, Fault::denied("lambda:DeleteLayerVersion"));
    project.mdo("prune --keep 0 --yes").through(&proxy).exits(5);
    project.mdo("prune --keep 0 --yes").succeeds();
    assert_eq!(layers.numbers(&layer), [1]);
}
