//! What is kept of local stacks: applied, observed again, shared between processes, and removed without a trace.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[path = "support/stack.rs"]
mod stack;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use mdo_engine::apply::Report;
use mdo_engine::{Cause, Finished, Invoke, Keys, Outcome, Provider, Scope};
use mdo_model::Sha256;
use mdo_model::project::Security;
use mdo_model::stack::{Kind, ResourceId};
use stack::{Fixture, names};

fn sample() -> Fixture {
    Fixture::new()
        .function("sample")
        .environment("sample", "MARK", "hush-hush")
        .route("GET /sample", "sample", Security::Key)
        .warm("sample", "5m")
}

fn version(report: &Report, function: &str) -> Option<String> {
    let id = ResourceId::new(Kind::Function, function);
    report.finished.iter().find(|change| change.id == id).and_then(|change| match &change.outcome {
        Outcome::Done(applied) => applied.version.clone(),
        other => panic!("{other:?}"),
    })
}

fn scope() -> Scope {
    Scope::default()
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(below(&path));
        }
        all.push(path);
    }
    all
}

#[tokio::test]
async fn what_was_applied_is_observed_and_nothing_is_left_to_do() {
    let fixture = sample();
    let report = fixture.deploy().await;
    assert_eq!(version(&report, "sample").as_deref(), Some("1"));
    let observed = fixture.provider().observe(&scope()).await.unwrap();
    assert_eq!(observed.stack, fixture.desired);
    assert!(fixture.plan().await.changes.is_empty());
}

#[tokio::test]
async fn nothing_is_written_before_something_is_applied() {
    let fixture = Fixture::new();
    let observed = fixture.provider().observe(&scope()).await.unwrap();
    assert_eq!(observed.stack, fixture.desired);
    assert!(!fixture.root.path().join(".mdo").exists());
    assert!(fixture.provider().stages().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_version_is_published_for_new_code_and_configuration_only() {
    let fixture = sample();
    fixture.deploy().await;
    let fixture = fixture.with("sample", |function| function.concurrency = Some(3));
    assert_eq!(version(&fixture.deploy().await, "sample").as_deref(), Some("1"));
    let fixture = fixture.environment("sample", "MARK", "new");
    assert_eq!(version(&fixture.deploy().await, "sample").as_deref(), Some("2"));
    let fixture = fixture.function_of("sample", "#!/bin/sh\n");
    assert_eq!(version(&fixture.deploy().await, "sample").as_deref(), Some("3"));
}

#[tokio::test]
async fn a_key_gets_a_value_once_and_keeps_it() {
    let fixture = sample().key("alice");
    fixture.deploy().await;
    let value = fixture.key_value("alice").await;
    assert_eq!(value.len(), 40);
    assert!(value.chars().all(|letter| letter.is_ascii_alphanumeric()));
    assert_ne!(value, fixture.key_value("default").await);
    let mut fixture = fixture.environment("sample", "MARK", "new");
    fixture.desired.keys.get_mut(&"alice".parse().unwrap()).unwrap().enabled = false;
    fixture.deploy().await;
    assert_eq!(fixture.key_value("alice").await, value);
    let missing = fixture.provider().key_value(&"bob".parse().unwrap()).await.unwrap_err();
    assert_eq!(missing.cause, Cause::Gone);
    assert_eq!(missing.to_string(), "there is no key bob at stage dev on this machine");
}

#[tokio::test]
async fn files_are_for_their_owner_alone_and_git_ignores_them() {
    let fixture = sample();
    fixture.deploy().await;
    let base = fixture.root.path().join(".mdo");
    assert_eq!(fs::read_to_string(base.join(".gitignore")).unwrap(), "*\n");
    let code = base.join("code");
    for path in below(&base).into_iter().chain([base.clone()]) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let inside_package = path.starts_with(&code) && path.parent() != Some(&code) && path != code;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
        } else if !inside_package {
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn an_environment_survives_and_is_not_printed() {
    let fixture = sample();
    fixture.deploy().await;
    let stack = fixture.provider().observe(&scope()).await.unwrap().stack;
    let function = &stack.functions[&"sample".parse().unwrap()];
    assert_eq!(function.configuration.environment["MARK"].reveal(), "hush-hush");
    assert!(!format!("{stack:?}{:?}", fixture.provider()).contains("hush-hush"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_lose_nothing() {
    let fixture = sample();
    fixture.deploy().await;
    let mut more = fixture;
    for number in 0..40 {
        more = more.key(&format!("key-{number}"));
    }
    // Every key is a change of its own, and each opens, locks and rewrites the state.
    let plan = more.plan().await;
    let halves = plan.changes.chunks(20).map(|changes| {
        let half = mdo_model::stack::Plan { changes: changes.to_vec(), ..plan.clone() };
        let more = &more;
        async move { more.run(&half).await }
    });
    for report in futures::future::join_all(halves).await {
        assert!(report.is_complete(), "{report:?}");
    }
    assert!(more.plan().await.changes.is_empty());
}

#[tokio::test]
async fn a_damaged_state_names_the_file_and_the_way_out() {
    let fixture = sample();
    fixture.deploy().await;
    let file = fixture.root.path().join(".mdo/stages/dev/state.json");
    fs::write(&file, "{\"format\": 2, \"functions\": 7}").unwrap();
    let error = fixture.provider().observe(&scope()).await.unwrap_err();
    assert_eq!(error.message, format!("{} is damaged at line 1, column 28", file.display()));
    let help = error.help.unwrap();
    assert!(help.starts_with("remove the folder") && help.contains(".mdo/stages/dev"), "{help}");

    fs::write(&file, "{\"format\": 99, \"new\": true}").unwrap();
    let error = fixture.provider().observe(&scope()).await.unwrap_err();
    let expected =
        format!("{} was written by a newer mdo (format 99; this mdo knows up to 2)", file.display());
    assert_eq!(error.message, expected);
}

#[tokio::test]
async fn code_is_unpacked_once_for_all_stages_and_removed_when_nobody_refers_to_it() {
    let folders = |fixture: &Fixture| {
        let code = fixture.root.path().join(".mdo/code");
        let entries = fs::read_dir(code).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).count()
    };
    let fixture = sample().function("twin");
    fixture.deploy().await;
    assert_eq!(folders(&fixture), 1);
    let mut fixture = fixture;
    for number in 0..8 {
        fixture = fixture.function_of("twin", &format!("#!/bin/sh\n# {number}\n"));
        fixture.deploy().await;
    }
    // The versions that are kept of twin, and the code of sample.
    assert_eq!(folders(&fixture), 6);
    fixture.desired.functions.remove(&"twin".parse().unwrap());
    fixture.deploy().await;
    assert_eq!(folders(&fixture), 1);
}

#[tokio::test]
async fn code_that_another_stage_runs_stays() {
    let dev = sample();
    let alice = dev.beside("alice").function("sample").route("GET /sample", "sample", Security::Open);
    dev.deploy().await;
    alice.deploy().await;
    dev.destroy().await;
    assert!(alice.plan().await.changes.is_empty());
    let answer = alice.provider().invoke(&"sample".parse().unwrap(), b"{}").await.unwrap();
    assert_eq!(answer.error, None);

    // A stage whose state cannot be read may need any code: nothing is removed then.
    dev.deploy().await;
    let state = dev.root.path().join(".mdo/stages/alice/state.json");
    fs::write(&state, "oops").unwrap();
    let report = dev.destroy().await;
    let warnings = report.finished.iter().flat_map(|change| match &change.outcome {
        Outcome::Done(applied) => applied.warnings.clone(),
        other => panic!("{other:?}"),
    });
    let expected = format!("cannot remove old code: {} is damaged at line 1, column 1", state.display());
    assert_eq!(warnings.collect::<Vec<_>>(), [expected]);
    let code = fs::read_dir(dev.root.path().join(".mdo/code")).unwrap().map(Result::unwrap);
    assert_eq!(code.filter(|entry| entry.path().is_dir()).count(), 1);
}

#[tokio::test]
async fn code_that_is_nowhere_is_said_to_be_missing() {
    let fixture =
        sample().with("sample", |function| function.code = Some(Sha256::of(b"nowhere"))).without_packages();
    let report = fixture.run(&fixture.plan().await).await;
    let function = report.finished.iter().find(|change| change.id.kind == Kind::Function).unwrap();
    assert!(matches!(&function.outcome, Outcome::Failed(error) if error.cause == Cause::Gone));
    let rule = report.finished.iter().find(|change| change.id.kind == Kind::WarmRule).unwrap();
    assert!(matches!(&rule.outcome, Outcome::Skipped(id) if id.kind == Kind::Function), "{rule:?}");
}

#[tokio::test]
async fn what_cannot_run_on_this_machine_is_said_when_it_is_deployed() {
    let fixture = sample().with("sample", |function| function.configuration.runtime = "ruby3.4".into());
    let report = fixture.run(&fixture.plan().await).await;
    let function = report.finished.iter().find(|change| change.id.kind == Kind::Function).unwrap();
    let Outcome::Done(applied) = &function.outcome else { panic!("{function:?}") };
    assert_eq!(
        applied.warnings,
        ["this machine runs a bootstrap, Python and Node.js only, and ruby3.4 cannot run here: events fail"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_runs_without_a_server() {
    let fixture = sample();
    fixture.deploy().await;
    let provider = fixture.provider();
    let payload = br#"{"queryStringParameters": {"do": "mark"}}"#;
    let answer = provider.invoke(&"sample".parse().unwrap(), payload).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(body["body"], "hush-hush");
    assert_eq!((answer.error, answer.version.as_deref()), (None, Some("1")));
    assert!(answer.log_tail.contains("END RequestId"), "{}", answer.log_tail);

    let payload = br#"{"queryStringParameters": {"do": "fail"}}"#;
    let answer = provider.invoke(&"sample".parse().unwrap(), payload).await.unwrap();
    assert_eq!(answer.error.as_deref(), Some("Unhandled"));
    let error = provider.invoke(&"other".parse().unwrap(), b"{}").await.unwrap_err();
    assert_eq!(error.cause, Cause::Gone);
}

#[tokio::test]
async fn a_destroyed_stack_leaves_no_secret() {
    let fixture = sample();
    fixture.deploy().await;
    let provider = fixture.provider();
    assert_eq!(provider.stages().await.unwrap(), [names().stage]);
    assert_eq!(provider.endpoint().as_deref(), Some("http://127.0.0.1:3000/dev"));
    fixture.destroy().await;
    assert!(provider.stages().await.unwrap().is_empty());
    assert_eq!(provider.observe(&scope()).await.unwrap().stack, mdo_model::stack::Stack::default());
    for path in below(&fixture.root.path().join(".mdo")).iter().filter(|path| path.is_file()) {
        let content = fs::read_to_string(path).unwrap();
        assert!(!content.contains("hush-hush"), "{}", path.display());
    }
}

#[tokio::test]
async fn a_state_behind_a_link_is_neither_read_nor_written() {
    let fixture = sample();
    fixture.deploy().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let base = fixture.root.path().join(".mdo");
    for link in ["stages/dev/state.json", "stages/dev/lock", "stages/dev", "stages", ""] {
        let link = base.join(link);
        let link = link.components().as_path();
        let target = elsewhere.path().join("target");
        fs::rename(link, &target).unwrap();
        let before = below_with_content(elsewhere.path());
        symlink(&target, link).unwrap();
        let plan = fixture.plan_from_nothing();
        let report = fixture.run(&plan).await;
        assert!(
            report.finished.iter().all(|change| !matches!(change.outcome, Outcome::Done(_))),
            "{report:?}"
        );
        let message = format!("{} is a link: mdo follows no link in its own folder", link.display());
        let is_named =
            |change: &Finished| matches!(&change.outcome, Outcome::Failed(error) if error.message == message);
        assert!(report.finished.iter().any(is_named), "{message}: {report:?}");
        assert_eq!(below_with_content(elsewhere.path()), before, "{}", link.display());
        fs::remove_file(link).unwrap();
        fs::rename(&target, link).unwrap();
    }
    assert!(fixture.plan().await.changes.is_empty());
}

#[tokio::test]
async fn code_behind_a_link_is_neither_removed_nor_run() {
    let fixture = sample();
    fixture.deploy().await;
    let code = fixture.root.path().join(".mdo/code");
    let elsewhere = tempfile::tempdir().unwrap();
    let victim = elsewhere.path().join("code");
    let old = victim.join(Sha256::of(b"old").to_string());
    fs::rename(&code, &victim).unwrap();
    fs::create_dir(&old).unwrap();
    fs::write(old.join("precious"), "x").unwrap();
    symlink(&victim, &code).unwrap();
    let named = format!("{} is a link: mdo follows no link in its own folder", code.display());
    let report = fixture.run(&fixture.plan().await).await;
    let failure = report.finished.iter().find_map(|change| match &change.outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    });
    assert_eq!(failure.unwrap().message, named);
    assert_eq!(
        failure.unwrap().help.as_deref().unwrap().split(": ").last().unwrap(),
        format!("rm '{}'", code.display())
    );
    assert!(old.join("precious").exists());
    fs::remove_file(&code).unwrap();
    fs::rename(&victim, &code).unwrap();

    // A link among the code is no code: tidying leaves it alone, and what it leads to.
    fs::rename(code.join(Sha256::of(b"old").to_string()), elsewhere.path().join("old")).unwrap();
    let link = code.join(Sha256::of(b"old").to_string());
    symlink(elsewhere.path().join("old"), &link).unwrap();
    let fixture = fixture.function_of("sample", "#!/bin/sh\n");
    fixture.deploy().await;
    assert!(link.is_symlink() && elsewhere.path().join("old/precious").exists());
}

/// Every file below a folder with its content.
fn below_with_content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = below(folder);
    files.sort();
    files
        .into_iter()
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}
