//! The guide's whole quickstart: two commands to a keyed, warm URL whose bytes are scikit-learn's.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::live::{Live, text};
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

/// Of the body that the guide shows for two classes.
const GUIDE: &str = "d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241";

fn sha256(body: &str) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_guide_is_two_commands() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::empty(emulator.account());
    project.mdo("init --name ml_api").succeeds().says("mdo deploy -s N_CLASSES=2");
    let output = project.mdo("deploy").exits(2);
    output.says("N_CLASSES");
    let output = project.mdo("deploy -s N_CLASSES=2").succeeds();
    let live = Live::of(&project, "dev").named("ml_api");
    output.says(&format!(
        "  url   https://{}.execute-api.eu-west-1.amazonaws.com/dev/sample_producer",
        live.api()
    ));

    let key = project.mdo("key show default").succeeds().stdout;
    let headers = [("x-api-key", key.trim())];
    let (status, body) = project.account().call_api(&live.api(), "dev", "sample_producer", &headers);
    assert_eq!((status, sha256(&body).as_str()), (200, GUIDE), "{body}");
    assert_eq!(live.get_without_key("sample_producer"), 403);
    let wrong = [("x-api-key", "another-key-of-twenty-characters")];
    assert_eq!(project.account().call_api(&live.api(), "dev", "sample_producer", &wrong).0, 403);

    let rule = live.rule("sample_producer");
    assert_eq!((&rule["ScheduleExpression"], &rule["State"]), (&json!("rate(5 minutes)"), &json!("ENABLED")));
    let (target, input) = live.targets("sample_producer").remove(0);
    assert!(target.ends_with(":function:ml_api_sample_producer:dev"), "{target}");
    let ping = json!({"FunctionName": target, "Payload": input});
    let pinged = live.call("lambda", "invoke", ping);
    assert_eq!((&pinged["StatusCode"], &pinged["FunctionError"]), (&json!(200), &json!(null)), "{pinged}");
    project.is_settled("");

    let answer = project.mdo("invoke sample_producer").json();
    assert_eq!(sha256(&text(&answer["body"])), GUIDE);
}

#[test]
fn two_stages_answer_with_their_own_numbers_of_classes() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::empty(emulator.account());
    project.mdo("init --name ml_api").succeeds();
    project.deploys("-s N_CLASSES=2");
    project.deploys("--stage alice -s N_CLASSES=3");
    let dev = Live::of(&project, "dev").named("ml_api");
    let alice = Live::of(&project, "alice").named("ml_api");
    let ((_, two), (status, three)) = (dev.get("sample_producer"), alice.get("sample_producer"));
    assert_eq!((sha256(&two).as_str(), status), (GUIDE, 200), "{three}");
    assert_ne!(sha256(&three), GUIDE);
    project.mdo("deploy -s N_CLASSES=4").succeeds();
    assert_eq!(alice.get("sample_producer").1, three);
    project.mdo("destroy --stage dev --yes").succeeds();
    assert_eq!(alice.get("sample_producer").1, three);
}
