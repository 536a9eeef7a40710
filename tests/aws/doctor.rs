//! `mdo doctor` against an account.

use std::time::Duration;

use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::{Fault, Proxy};

#[test]
fn an_account_that_lets_in_is_well_and_nothing_is_changed() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=hello");
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    let output = project.mdo("doctor").through(&proxy).succeeds();
    output.says("  ok       clock  ").says("  as AWS's\n");
    output.says("  ok       credentials  ").says("everything at the stage can be read, 7 resources");
    output.says("a deploy may write what it needs\n");
    output.says("1 of 600 REST APIs").says("1 of 300 usage plans").says("code storage of Lambda");
    assert_eq!(proxy.recording().writes().len(), 0);
}

#[test]
fn a_permission_that_is_missing_is_named_and_ends_with_4() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    proxy.fail_next("ListFunctions", usize::MAX, Fault::denied("lambda:ListFunctions"));
    project
        .mdo("doctor")
        .through(&proxy)
        .exits(4)
        .says("  failed   permissions  ")
        .says("lambda:ListFunctions");
}

#[test]
fn each_call_is_said_and_written_down_where_that_is_asked_for() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let secret = "hush-hush-hush";
    let deployed = project.mdo(&format!("deploy -v -s TOKEN={secret} --log-file mdo.log")).exits(0);
    let calls: usize =
        deployed.stdout.split(" with ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let said = deployed.stderr.lines().filter(|line| line.contains(" ms  ")).count();
    let log = project.read("mdo.log");
    let written = log.lines().filter(|line| line.contains(" ms  ")).count();
    assert_eq!((said, written), (calls, calls), "{}\n{log}", deployed.transcript());
    assert!(log.contains("lambda:CreateFunction shop_echo  "), "{log}");
    assert!(!log.contains(secret) && !deployed.stderr.contains(secret));
}

#[test]
fn a_clock_that_is_far_off_is_told_and_ends_with_4() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    proxy.tells_the_time("Thu, 01 Jan 2026 00:00:00 GMT");
    let output = project.mdo("doctor").through(&proxy).exits(4);
    output
        .says("  failed   clock        ")
        .says(" ahead of AWS's: AWS refuses requests that are five minutes off");
    output.says("let the system set this machine's clock, by NTP");
    // It is why the credentials are refused.
    proxy.tells_the_time("Fri, 01 Jan 2100 00:00:00 GMT");
    let refused = Fault::error(403, "SignatureDoesNotMatch", "Signature expired");
    proxy.fail_next("GetCallerIdentity", usize::MAX, refused);
    let output = project.mdo("doctor").through(&proxy).exits(4);
    output.says(" behind AWS's: AWS refuses requests").says("  failed   credentials  ");
}
