//! `mdo deploy --canary 10% --alarm NAME --for 10m`: alarms of CloudWatch decide a trial.

use serde_json::{Value, json};

use crate::live::Live;
use crate::movement::proxied;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::Fault;
use crate::trials::weights;

/// Makes an alarm about which nothing but `fires` and `is_calm` decides: its metric has no numbers, and an hour to have them.
fn set_alarm(live: &Live, name: &str) {
    let alarm = json!({
        "AlarmName": name, "Namespace": "shop", "MetricName": "errors", "Statistic": "Sum", "Period": 3600,
        "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    });
    live.call("cloudwatch", "put_metric_alarm", alarm);
}

fn set_state(live: &Live, state: &str, reason: &str) {
    let state = json!({"AlarmName": "shop-errors", "StateValue": state, "StateReason": reason});
    live.call("cloudwatch", "set_alarm_state", state);
}

#[test]
fn alarms_decide_a_trial_and_nothing_changes_for_one_that_cannot() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=one");
    let live = Live::of(&project, "dev");
    for name in ["shop-errors", "shop-calm"] {
        set_alarm(&live, name);
    }
    let proxy = proxied(&project);
    let weighed = || weights(&live);
    let watched = "--canary 10% --alarm shop-errors,shop-calm --for";
    project.set_edition("echo", "second");

    // Nothing is changed for an alarm that does not exist, or fires already.
    proxy.forget();
    project.mdo("deploy --canary 10% --alarm shop-eror --for 10m").through(&proxy).exits(2).says(
        "error: CloudWatch has no alarm `shop-eror`\n  help: did you mean `shop-errors`? Nothing was changed",
    );
    set_state(&live, "ALARM", "five failed");
    let refused = project.mdo(&format!("deploy {watched} 10m")).through(&proxy).exits(2);
    refused.says("error: alarm shop-errors is in ALARM since ").says(" (five failed) already\n  help: wait");
    assert_eq!(proxy.recording().writes().len(), 0);

    // It fires while the new version is on trial.
    set_state(&live, "OK", "none failed");
    proxy.hold("UpdateAlias");
    let deploy = project.mdo(&format!("deploy {watched} 10m")).through(&proxy).begins();
    proxy.until_held();
    set_state(&live, "ALARM", "six failed");
    proxy.release();
    let (code, stdout, stderr) = deploy.ends();
    assert_eq!(code, 5, "{stdout}{stderr}");
    for told in ["on trial  10 % of the requests", "on trial  10 % → none of the requests", "Aborted in "] {
        assert!(stdout.contains(told), "{told}: {stdout}");
    }
    for told in [
        "  watching shop-calm, shop-errors for 10m; Ctrl-C leaves the trial as it is\n",
        "error: alarm shop-errors is in ALARM since ",
        " (six failed)\n  help: the trial was aborted: what was live before answers all requests\n",
    ] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
    assert_eq!((live.version("echo").as_str(), weighed()), ("1", json!({})));

    // Ctrl-C leaves the trial as it is, and a later watch ends it.
    set_state(&live, "OK", "none failed");
    proxy.hold("UpdateAlias");
    let deploy = project.mdo(&format!("deploy {watched} 10m")).through(&proxy).begins();
    proxy.until_held();
    proxy.hold_instead("DescribeAlarms");
    proxy.until_held();
    deploy.signal("INT");
    let (code, _, stderr) = deploy.ends();
    proxy.release();
    let told = "error: interrupted: the trial goes on, and no alarm ends it\n  help: mdo canary finish, or mdo canary abort\n";
    assert!(code == 130 && stderr.ends_with(told), "{code}: {stderr}");
    assert_eq!(live.version("echo"), "1");
    let tried = weighed();
    assert_ne!(tried, json!({}));
    set_state(&live, "ALARM", "seven failed");
    project.mdo("canary watch --alarm shop-errors --for 1h").through(&proxy).exits(2).says("seven failed");
    assert_eq!(weighed(), tried);

    // INSUFFICIENT_DATA is no alarm.
    set_state(&live, "INSUFFICIENT_DATA", "nothing is known");
    let output = project.mdo("canary watch --alarm shop-errors --for 0s --json").through(&proxy).exits(0);
    output.says("note: alarm shop-errors has INSUFFICIENT_DATA, which is no alarm\n");
    let document = output.document();
    assert_eq!(
        (
            &document["outcome"],
            &document["fired"],
            &document["alarms"],
            document["plans"].as_array().unwrap().len()
        ),
        (&json!("finished"), &Value::Null, &json!(["shop-errors"]), 1)
    );
    assert_eq!(weighed(), json!({}));
    assert_eq!(live.echo("echo")["edition"], "second");
    project
        .mdo("canary watch --alarm shop-errors --for 1h")
        .exits(1)
        .says("nothing is on trial at stage dev");

    // What nobody can watch any more is aborted.
    let version = live.version("echo");
    project.set_edition("echo", "third");
    proxy.hold("UpdateAlias");
    let deploy = project.mdo(&format!("deploy {watched} 10m --json")).through(&proxy).begins();
    proxy.until_held();
    proxy.fail_next("DescribeAlarms", usize::MAX, Fault::denied("cloudwatch:DescribeAlarms"));
    proxy.release();
    let (code, stdout, stderr) = deploy.ends();
    assert_eq!(code, 4, "{stdout}{stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&document["outcome"], &document["error"]["exit_code"], document["plans"].as_array().unwrap().len()),
        (&json!("aborted"), &json!(4), 2)
    );
    assert!(stderr.contains("error: the alarms cannot be watched any more: "), "{stderr}");
    assert_eq!((live.version("echo"), weighed()), (version, json!({})));
}
