//! `mdo deploy --local`, `list` and `destroy`: a stack on this machine comes, is shown, heals and goes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::project::TestProject;

#[test]
fn a_deploy_says_what_it_did_and_where_to_go_next() {
    let project = TestProject::local_with_echo();
    let output = project.mdo("deploy --local --stage alice").succeeds();
    let end = output.timeless();
    let end = &end[end.find("  6 to create").unwrap()..];
    assert_eq!(
        end,
        "  6 to create, nothing to update or delete

  role _ s · log group echo _ s · api _ s · function echo _ s (version 1) · stage _ s · key default _ s

Deployed in _ s.
  serve mdo dev --stage alice
  url   http://127.0.0.1:3000/alice/echo
  key   mdo key show default --local --stage alice
  try   curl -H \"x-api-key: $(mdo key show default --local --stage alice)\" http://127.0.0.1:3000/alice/echo
"
    );
}

#[test]
fn a_second_deploy_has_nothing_to_do() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local -s GREETING=hello").succeeds();
    project.mdo("deploy --local").succeeds().prints(
        "shop · dev · this machine\n  nothing to do (checked 6 resources in _ s); kept GREETING, which no file sets\n",
    );
    let report = project.mdo("deploy --local --json").json();
    assert_eq!(report["changes"], json!([]));
    assert_eq!(report["calls"], json!(0));
}

#[test]
fn the_report_is_one_document_with_the_outcome_of_each_change() {
    let project = TestProject::local_with_echo();
    let report = project.mdo("deploy --local --json").json();
    let changes = report["changes"].as_array().unwrap();
    let names: Vec<_> = changes.iter().map(|change| change["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["shop_lambda_function", "/aws/lambda/shop_echo", "shop", "shop_echo", "dev", "shop-dev-default"]
    );
    assert!(changes.iter().all(|change| change["outcome"] == "done" && change["seconds"].is_f64()));
    assert_eq!(changes[3]["version"], "1");
    assert_eq!(report["url"], "http://127.0.0.1:3000/dev");
}

#[test]
fn a_stack_is_listed() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local -s GREETING=hello").succeeds();
    project.mdo("list --local").succeeds().prints(
        "shop · dev · this machine

  echo  version 1  provided.al2023 x86_64  128 MB, 30 s  not kept warm

  GET  http://127.0.0.1:3000/dev/echo  key  echo

  keys  default
",
    );
    let mut list = project.mdo("list --local --json").json();
    assert!(list["functions"][0]["modified"].take().is_string());
    assert_eq!(
        list,
        json!({
            "version": 1,
            "project": "shop",
            "stage": "dev",
            "provider": "local",
            "account": null,
            "region": null,
            "api_id": null,
            "url": "http://127.0.0.1:3000/dev",
            "functions": [{
                "name": "echo",
                "full_name": "shop_echo",
                "version": "1",
                "modified": null,
                "rolled_back_from": null,
                "canary": null,
                "runtime": "provided.al2023",
                "architecture": "x86_64",
                "memory": 128,
                "timeout": 30,
                "environment": ["GREETING"],
                "warm": null,
            }],
            "server": null,
            "routes": {"GET /echo": {"function": "echo", "security": "key", "timeout_ms": 29000}},
            "keys": ["default"],
        })
    );
}

#[test]
fn destroy_removes_one_stage_and_leaves_the_others() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    project.mdo("deploy --local --stage alice").succeeds();
    project.mdo("destroy --yes --local --stage alice").succeeds().prints(
        "shop · alice · this machine

  - role       shop_lambda_function
  - function   shop_echo
  - log group  /aws/lambda/shop_echo
  - api        shop
  - stage      alice
  - key        shop-alice-default

  6 to delete, nothing to create or update

  stage _ s · key default _ s · api _ s · function echo _ s · role _ s · log group echo _ s

Destroyed in _ s.
",
    );
    project
        .mdo("destroy --yes --local --stage alice")
        .succeeds()
        .prints("shop · alice · this machine\n  nothing to destroy; the project has dev\n");
    project.mdo("plan --local --exit-code").exits(0);
    project.mdo("destroy --yes --local --all").succeeds();
    project.mdo("list --local").succeeds().prints("shop · dev · this machine\n  nothing is deployed here\n");
}

#[test]
fn what_holds_secrets_is_its_owners_alone() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local -s GREETING=hello").succeeds();
    let mode = |path: &str| fs::metadata(project.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".mdo/stages/dev"), mode(".mdo/stages/dev/state.json")), (0o700, 0o600));
    assert_eq!(project.read(".mdo/.gitignore"), "*\n");
}

#[test]
fn a_function_whose_code_was_removed_comes_back() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    project.remove(".mdo/code");
    project.mdo("plan --local --exit-code").exits(3).says("code  none → ");
    project.mdo("deploy --local").succeeds();
    project.mdo("invoke echo --local").succeeds();
    project.mdo("plan --local --exit-code").exits(0);
}

#[test]
fn any_folder_below_the_project_will_do() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").below("functions/echo").succeeds();
    project.mdo("list --local").below("functions").succeeds().says("  keys  default");
    assert!(!project.path("functions/echo/.mdo").exists());
}

#[test]
fn a_package_over_50_mb_needs_no_bucket_on_this_machine() {
    let project = TestProject::local_with_echo();
    let random = fs::File::open("/dev/urandom").unwrap();
    let mut model = fs::File::create(project.path("functions/echo/model.bin")).unwrap();
    std::io::copy(&mut std::io::Read::take(random, 51 * 1024 * 1024), &mut model).unwrap();
    project.mdo("plan --local").exits(0).says(
        "so a deploy to AWS needs a bucket under `[artifacts]` in project.toml; largest: model.bin 51.0 MB",
    );
}
