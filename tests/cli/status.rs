//! `mdo status --local`: what the log of this machine comes to, as text, JSON and pictures.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::support::project::TestProject;

/// 2026-11-27T00:00:00Z.
const MIDNIGHT: i64 = 1_795_737_600_000;

const MINUTE: i64 = 60_000;

/// The day that the log below is of.
const DAY: &str = "--since 2026-11-27 --until 2026-11-27T23:59";

/// The log of a function, line by line.
#[derive(Default)]
struct Log(String);

impl Log {
    fn line(&mut self, minute: i64, rest: &Value) {
        let mut line = json!({"t": MIDNIGHT + minute * MINUTE, "i": self.0.len().to_string()});
        line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        writeln!(self.0, "{line}").unwrap();
    }

    /// An event that took so many milliseconds, with what else its report says.
    fn run(&mut self, minute: i64, id: &str, took: f64, rest: &str) {
        let report = format!(
            "REPORT RequestId: {id}\tDuration: {took:.2} ms\tBilled Duration: {} ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB{rest}",
            took.ceil()
        );
        self.line(minute, &json!({"s": "s", "r": id, "m": report}));
    }

    fn request(&mut self, minute: i64, status: u16, key: Option<&str>) {
        let request =
            json!({"method": "GET", "path": "/dev/echo", "status": status, "took_ms": 4.0, "key": key});
        self.line(minute, &json!({"q": request}));
    }

    fn write(&self, project: &TestProject, name: &str) {
        fs::create_dir_all(project.path(".mdo/stages/dev/logs")).unwrap();
        fs::write(project.path(&format!(".mdo/stages/dev/logs/{name}.jsonl")), &self.0).unwrap();
    }
}

/// A stage with a warm function, a cold one and one that nobody called, and a day's log.
fn with_a_day() -> TestProject {
    let project = TestProject::local_with_echo();
    project.set("echo", "warm", json!("5m"));
    project.add_function("quiet", json!({"routes": []}));
    project.add_function("cold", json!({"routes": []}));
    project.mdo("deploy --local").succeeds();
    project.add_function("later", json!({"routes": []}));
    let mut log = Log::default();
    // Before the rule was there: a cold start.
    log.run(60, "a", 2.0, "\tInit Duration: 30.00 ms");
    log.request(60, 200, Some("default"));
    for ping in (180..1440).step_by(5) {
        let id = format!("p{ping}");
        log.line(ping, &json!({"r": id, "p": true}));
        log.run(ping, &id, 1.0, if ping == 180 { "\tInit Duration: 30.00 ms" } else { "" });
    }
    for minute in [600, 601, 720, 1000] {
        log.run(minute, &format!("r{minute}"), 10.0, if minute == 1000 { "\tStatus: timeout" } else { "" });
        log.request(minute, if minute == 1000 { 502 } else { 200 }, Some("default"));
    }
    log.request(1001, 429, Some("default"));
    log.request(1002, 403, None);
    log.write(&project, "echo");
    let mut log = Log::default();
    log.run(600, "c", 150.0, "\tInit Duration: 30.00 ms");
    log.write(&project, "cold");
    project
}

#[test]
fn a_day_of_a_stage_is_told_function_by_function_with_its_requests_keys_and_money() {
    let project = with_a_day();
    let output = project.mdo(&format!("status --local {DAY}")).succeeds();
    output.prints(
        "shop · dev · this machine
  2026-11-27 00:00 to 2026-11-27 23:59 UTC

  function  invocations                             errors  throttled  p50     p95     p99      cold  at once
  cold      1                       █               0       0          150 ms  150 ms  150 ms   1     1
  echo      257            ▁ ▇▇▇▇▇▇▇█▇█▇▇▇█▇▇▇▇▇▇▇  1       0          1.0 ms  1.0 ms  10.0 ms  2     2
  later     not deployed
  quiet     not invoked

  api       7 requests   ▃        ▆ ▃   █         2 answered with 4xx, 1 with 5xx; p50 4.0 ms, p95 4.0 ms, p99 4.0 ms
  throttle  10 requests/s for each key, burst 20; all keys together less than 0.1 requests/s in the busiest 5 minutes
  key       default: 0 of 10,000 a day used, 1 request refused with 429
  warm      echo: every 5 minutes, 252 pings for $0.0016 a month, at least 3 cold starts prevented
  money     nothing is paid here; AWS would want $0.0023 a month at this rate (functions $0.0016, API $0.0007): an estimate, \
         traffic, logs and the free tier aside, prices of us-east-1 in November 2026
",
    );
}

#[test]
fn a_function_that_nobody_called_has_no_numbers() {
    let project = with_a_day();
    let document = project.mdo(&format!("status --local --json {DAY}")).json();
    let function = |name: &str| {
        let mut all = document["functions"].as_array().unwrap().iter();
        all.find(|function| function["name"] == name).unwrap().clone()
    };
    let echo = function("echo");
    for (field, value) in [
        ("deployed", json!(true)),
        ("invocations", json!(257)),
        ("errors", json!(1)),
        ("throttles", json!(0)),
        ("cold_starts", json!(2)),
        ("cold_starts_complete", json!(true)),
        ("at_once", json!(2)),
        ("duration_ms", json!({"p50": 1.0, "p95": 1.0, "p99": 10.0})),
    ] {
        assert_eq!(echo[field], value, "{field}");
    }
    let warm = &echo["warm"];
    assert_eq!((&warm["minutes"], &warm["pings"], &warm["prevented"]), (&json!(5), &json!(252), &json!(3)));
    assert_eq!(echo["series"]["invocations"].as_array().unwrap().len(), 288);
    assert_eq!(echo["series"]["invocations"][12], json!(1));
    assert_eq!(echo["series"]["invocations"][13], Value::Null);
    assert_eq!(echo["series"]["p95_ms"][120], json!(10.0));
    let quiet = function("quiet");
    assert_eq!(
        (&quiet["invocations"], &quiet["duration_ms"], &quiet["at_once"]),
        (&json!(0), &Value::Null, &Value::Null)
    );
    assert_eq!((&function("later")["deployed"], &document["money"]["so_far"]), (&json!(false), &Value::Null));
    let api = &document["api"];
    assert_eq!(
        (&api["requests"], &api["client_errors"], &api["server_errors"]),
        (&json!(7), &json!(2), &json!(1))
    );
    assert_eq!(document["keys"], json!([{"name": "default", "used": 0, "refused": 1}]));
    assert_eq!(document["step_seconds"], 300);
}

#[test]
fn a_warm_rule_shows_the_cold_starts_before_it_and_since() {
    let project = TestProject::local_with_echo();
    project.set("echo", "warm", json!("5m"));
    project.mdo("deploy --local").succeeds();
    let serving = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    serving.get("/echo", Some(&key));
    serving.signal("INT");
    serving.exits(0);
    project.mdo("warm --local").succeeds().says(": 1 cold start in 1 request\n");
    let document = project.mdo("warm --local --json").json();
    assert_eq!(document["functions"][0]["evidence"], Value::Null);
}

#[test]
fn pictures_go_into_a_file_or_a_pipe_and_nothing_half_written_stays() {
    let project = with_a_day();
    let drawn = project.mdo(&format!("status --local {DAY} --svg -")).succeeds().stdout;
    assert!(drawn.starts_with("<svg ") && drawn.trim_end().ends_with("</svg>"), "{drawn}");
    for text in [
        "shop · dev · this machine",
        "Requests by status",
        "Sandboxes",
        "answered",
        "warm pings",
        "03:00",
        "21:00",
    ] {
        assert!(drawn.contains(text), "{text}");
    }
    let output = project.mdo(&format!("status cold --local {DAY} --svg cold.svg")).succeeds();
    output.says("\n  cold      1  ");
    assert!(project.read("cold.svg").contains("Duration of cold in ms"));
    assert_eq!(project.mdo(&format!("status --local {DAY} --svg all.svg --json")).json()["version"], 1);
    assert_eq!(project.read("all.svg"), drawn);
    project.mdo("status --local --svg nowhere/x.svg").exits(1).says("error: cannot write nowhere/x.svg: ");
    let folder = fs::read_dir(project.folder()).unwrap().flatten().map(|entry| entry.file_name());
    assert!(folder.into_iter().all(|name| !name.to_string_lossy().starts_with(".tmp")));
}

#[test]
fn who_watches_a_pipe_gets_a_document_a_line_until_ctrl_c() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    let mut watching = project.mdo("status --local --watch --json").begins();
    watching.until_it_prints(1, "step_seconds");
    watching.signal("INT");
    let (status, stdout, stderr) = watching.ends();
    assert_eq!((status, stderr.as_str()), (0, ""));
    for line in stdout.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        assert_eq!(document["functions"][0]["invocations"], 0);
    }
}

#[test]
fn what_cannot_be_told_is_refused_with_the_way_out() {
    let project = TestProject::local_with_echo();
    project.mdo("status --local").succeeds().says("  nothing was deployed here\n");
    for (arguments, complaint) in [
        (
            "status --local --svg - --json",
            "error: --svg - takes standard output, and so does --json\n  help: draw into a file: --svg status.svg\n",
        ),
        (
            "status --local --since 31d",
            "error: --since reaches back 30 days at most\n  help: write 7d, for instance\n",
        ),
        ("status nope --local", "error: no function matches `nope`\n  help: the project has echo\n"),
    ] {
        project.mdo(arguments).exits(2).complains(complaint);
    }
    project.mdo("status --local --since 1h --until 2h").exits(2).says(" is not before --until ");
    project.mdo("status --local --until 1h --watch").exits(2).says("cannot be used with");
    project.mdo("status").exits(4).complains("error: no AWS region is configured\n  help: set it with --region, `region` in project.toml, AWS_REGION, or `aws configure set region …`\n");
}

#[test]
fn a_log_that_no_longer_reaches_back_says_so() {
    let project = with_a_day();
    let logs = project.path(".mdo/stages/dev/logs");
    let mut older = Log::default();
    older.line(300, &json!({"s": "s", "m": "hello"}));
    fs::write(logs.join("quiet.1.jsonl"), &older.0).unwrap();
    let output = project.mdo(&format!("status --local {DAY}")).succeeds();
    output.says(" UTC; the log reaches back to 2026-11-27 05:00 only, and so does all of this\n");
    let document = project.mdo(&format!("status --local --json {DAY}")).json();
    assert_eq!(document["covers"], "2026-11-27T05:00:00.000Z");
}
