//! The commands on a stage that servers host whose every call is disturbed.

use serde_json::json;

use super::sequences::{On, Sequence};
use crate::live::Live;
use crate::support::hosted::PLAIN;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;

const DEPLOY: &str = "deploy --yes --json --stage prod --server-program ../mdo-server -s GREETING=hello";
const PLAN: &str = "plan --json --stage prod --server-program ../mdo-server";
const DESTROY: &str = "destroy --yes --json --stage prod";
const ROLLBACK: &str = "rollback --json --stage prod --to 1";

/// All of them. A further one joins by being listed.
pub(super) fn all() -> Vec<Sequence> {
    let sequence = |name, prepare, command| Sequence {
        name,
        on: On::MiniStack,
        prepare,
        command,
        repeats: true,
        goes_on: None,
        settled: PLAN,
        destroys: DESTROY,
    };
    vec![
        sequence("first hosted deploy", nothing, DEPLOY),
        sequence("hosted update of everything", a_stage_and_files_that_differ_in_everything, DEPLOY),
        Sequence {
            repeats: false,
            ..sequence("key of a hosted stage", a_stage, "key create bob --stage prod")
        },
        Sequence { settled: ROLLBACK, ..sequence("hosted rollback", two_revisions, ROLLBACK) },
        Sequence { settled: DESTROY, ..sequence("hosted destroy", a_stage_that_scales, DESTROY) },
        sequence("move to servers", a_serverless_stage_and_files_with_servers, DEPLOY),
    ]
}

/// From now on a rollout is not over when it has begun, as on AWS.
pub(super) fn take_time(proxy: &Proxy) {
    for operation in ["CreateService", "UpdateService"] {
        proxy.edit(operation, |_, answer| {
            answer["service"]["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
        });
    }
}

fn nothing(_: &TestProject) {}

fn a_stage(project: &TestProject) {
    project.mdo(DEPLOY).exits(0);
}

fn a_stage_that_scales(project: &TestProject) {
    write(project, "tasks = { min = 2, max = 4, cpu = 60 }", "");
    a_stage(project);
}

fn two_revisions(project: &TestProject) {
    project.mdo(&DEPLOY.replace("hello", "before")).exits(0);
    project.set_edition("echo", "second");
    a_stage(project);
}

fn a_stage_and_files_that_differ_in_everything(project: &TestProject) {
    project.mdo(&DEPLOY.replace("hello", "before")).exits(0);
    write(
        project,
        "tasks = { min = 1, max = 3, cpu = 50 }\ndrain = 10\nmemory = 1024",
        "[logs]\nretention_days = 7\n[api]\nthrottle = { rate = 3, burst = 6 }\n",
    );
    project.set_edition("echo", "second");
    project.set("echo", "routes", json!(["GET /echo", "POST /new"]));
    let live = Live::of(project, "prod");
    live.call("ecr", "delete_lifecycle_policy", json!({"repositoryName": "shop"}));
    let role = json!({"RoleName": "shop_server"});
    let policy = live.call("iam", "list_role_policies", role)["PolicyNames"][0].clone();
    live.call("iam", "delete_role_policy", json!({"RoleName": "shop_server", "PolicyName": policy}));
}

fn a_serverless_stage_and_files_with_servers(project: &TestProject) {
    let servers = project.read("project.toml");
    project.write("project.toml", &servers.replace("hosting = \"server\"", "hosting = \"serverless\""));
    project.mdo("deploy --yes --stage prod -s GREETING=hello").exits(0);
    project.write("project.toml", &servers);
}

/// Says in project.toml how the servers of the stage are to be, and more.
fn write(project: &TestProject, server: &str, more: &str) {
    let plain = PLAIN.replace("tasks = 2", server);
    project.write("project.toml", &format!("name = \"shop\"\n\n{plain}\n{more}"));
}
