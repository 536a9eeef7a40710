//! `mdo status` on AWS: the metrics of the stage's own alias, API and servers, in a few calls however many functions there are.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::hosted::{HostedProject, metrics_server};
use crate::support::project::TestProject;
use crate::support::proxy::{Fault, Proxy};

const DAY: u64 = 24 * 60 * 60;

/// The beginning of yesterday, in seconds, and the flags that ask for that day.
fn yesterday() -> (u64, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let begin = now / DAY * DAY - DAY;
    (begin, format!("--since {} --until {}", rfc3339(begin), rfc3339(begin + DAY - 60)))
}

/// `2026-11-27T00:00:00Z`.
fn rfc3339(at: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at)).to_string()
}

/// A metric of something, with numbers at times in seconds.
fn put(
    project: &TestProject,
    server: &str,
    namespace: &str,
    dimensions: &[(&str, &str)],
    metric: &str,
    numbers: &[(u64, f64)],
) {
    let dimensions: Vec<Value> =
        dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let data: Vec<Value> = numbers
        .iter()
        .map(|(at, value)| json!({"MetricName": metric, "Dimensions": dimensions, "Timestamp": rfc3339(*at), "Value": value}))
        .collect();
    let params = json!({"Namespace": namespace, "MetricData": data});
    project.account().aws_through(server, "cloudwatch", "put_metric_data", params).unwrap();
}

#[test]
fn a_stage_is_told_by_its_own_alias_and_api_and_never_by_another_stages() {
    let (Some(emulator), Some(server)) = (Emulator::shared(), metrics_server()) else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "warm", json!("5m"));
    project.deploys("-s GREETING=hello");
    let (begin, day) = yesterday();
    let metrics = format!("http://{server}");
    let own = [("FunctionName", "shop_echo"), ("Resource", "shop_echo:dev")];
    let other = [("FunctionName", "shop_echo"), ("Resource", "shop_echo:prod")];
    let minute = |minute: u64| begin + 60 * minute;
    let lambda = |dimensions: &[(&str, &str)], metric: &str, numbers: &[(u64, f64)]| {
        put(&project, &metrics, "AWS/Lambda", dimensions, metric, numbers);
    };
    // A request, and pings every five minutes from three o'clock on, with a request at ten.
    let pings: Vec<(u64, f64)> = (180..900).step_by(5).map(|at| (minute(at), 1.0)).collect();
    let requests = [(minute(60), 1.0), (minute(600), 2.0)];
    let all: Vec<(u64, f64)> = pings.iter().chain(&requests).copied().collect();
    lambda(&own, "Invocations", &all);
    lambda(&own, "Errors", &[(minute(60), 0.0), (minute(600), 1.0)]);
    lambda(&own, "Throttles", &[(minute(600), 3.0)]);
    lambda(&own, "ConcurrentExecutions", &[(minute(60), 1.0), (minute(600), 2.0)]);
    let mut took: Vec<(u64, f64)> = (0..98).map(|at| (minute(180 + 5 * at), 2.0)).collect();
    took.extend([(minute(600), 40.0), (minute(600), 90.0)]);
    lambda(&own, "Duration", &took);
    lambda(&other, "Invocations", &[(minute(60), 1000.0)]);
    lambda(&other, "Errors", &[(minute(60), 1000.0)]);
    put(&project, &metrics, "AWS/Events", &[("RuleName", "shop_echo.dev.warm")], "Invocations", &pings);
    let api = [("ApiName", "shop"), ("Stage", "dev")];
    for (metric, numbers) in [
        ("Count", vec![(minute(60), 1.0), (minute(600), 1.0), (minute(600), 1.0)]),
        ("4XXError", vec![(minute(60), 0.0), (minute(600), 1.0)]),
        ("5XXError", vec![(minute(600), 0.0)]),
        ("Latency", vec![(minute(60), 50.0), (minute(600), 20.0), (minute(600), 10.0)]),
    ] {
        put(&project, &metrics, "AWS/ApiGateway", &api, metric, &numbers);
    }
    put(
        &project,
        &metrics,
        "AWS/ApiGateway",
        &[("ApiName", "shop"), ("Stage", "prod")],
        "Count",
        &[(minute(60), 1.0)],
    );
    let live = Live::of(&project, "dev");
    let stream = "2026/11/27/[1]aaaa";
    let group = "/aws/lambda/shop_echo";
    live.call("logs", "create_log_stream", json!({"logGroupName": group, "logStreamName": stream}));
    let report = "REPORT RequestId: r1\tDuration: 2.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB";
    let events = [
        json!({"timestamp": minute(60) * 1000, "message": format!("{report}\tInit Duration: 30.00 ms\t")}),
        json!({"timestamp": minute(600) * 1000, "message": report}),
    ];
    live.call(
        "logs",
        "put_log_events",
        json!({"logGroupName": group, "logStreamName": stream, "logEvents": events}),
    );

    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    proxy.pass_on("monitoring", server);
    let output = project.mdo(&format!("status {day}")).through(&proxy).exits(0);
    // LocalStack knows of no usage. What else is known is told.
    output
        .says("warning: what the keys have used is not known: ")
        .says("\n  key       default: ? of 10,000 a day used\n");
    let mut names = proxy.recording().names();
    names.sort();
    assert_eq!(
        names,
        [
            "apigateway:GetApiKeys",
            "apigateway:GetUsage",
            "apigateway:GetUsagePlans",
            "events:ListRules",
            "lambda:GetFunction",
            "lambda:ListAliases",
            "lambda:ListVersionsByFunction",
            "logs:FilterLogEvents",
            "monitoring:GetMetricData",
            "monitoring:GetMetricData",
        ]
    );
    let date = &rfc3339(begin)[..10];
    let head = format!(
        "shop · dev · {} · eu-west-1
  {date} 00:00 to {date} 23:59 UTC

  function  invocations                            errors  throttled  p50     p95     p99      cold  at once
",
        project.account().id()
    );
    let told = "  echo      147           ▁ ▇▇▇▇▇▇▇█▇▇▇▇           1       3          2.0 ms  2.0 ms  40.5 ms  1     2

  api       3 requests   ▄        █               1 answered with 4xx, 0 with 5xx; p50 20.0 ms, p95 47.0 ms, p99 49.4 ms
  throttle  10 requests/s for each key, burst 20; all keys together less than 0.1 requests/s in the busiest 5 minutes
  key       default: ? of 10,000 a day used
  warm      echo: every 5 minutes, 144 pings for $0.0009 a month, at least 1 cold start prevented
  money     ";
    assert!(output.stdout.starts_with(&format!("{head}{told}")), "{}", output.transcript());
    output.says(
        " so far this month, $0.0012 a month at this rate (functions $0.0009, API $0.0003): an estimate, ",
    );
    let document = project.mdo(&format!("status --json {day}")).through(&proxy).exits(0).document();
    assert_eq!(document["notes"].as_array().map(Vec::len), Some(1));
    let echo = &document["functions"][0];
    for (field, value) in [
        ("invocations", json!(147)),
        ("errors", json!(1)),
        ("throttles", json!(3)),
        ("cold_starts", json!(1)),
        ("cold_starts_complete", json!(true)),
        ("at_once", json!(2)),
    ] {
        assert_eq!(echo[field], value, "{field}: {document:#}");
    }
    assert_eq!((&echo["duration_ms"]["p50"], &echo["duration_ms"]["p95"]), (&json!(2.0), &json!(2.0)));
    let warm = &echo["warm"];
    assert_eq!((&warm["minutes"], &warm["pings"], &warm["prevented"]), (&json!(5), &json!(144), &json!(1)));
    let api = &document["api"];
    assert_eq!(
        (&api["requests"], &api["client_errors"], &api["server_errors"]),
        (&json!(3), &json!(1), &json!(0))
    );
    assert_eq!((&document["money"]["is_paid"], &document["quota"]["limit"]), (&json!(true), &json!(10_000)));
    // The rule's worth takes one call for metrics, and none for what it has nothing to do with.
    proxy.forget();
    let warm = project.mdo("warm --json").through(&proxy).json();
    assert_eq!(
        (&warm["functions"][0]["state"], proxy.recording().count("GetMetricData")),
        (&json!("enabled"), 1)
    );

    proxy.fail_next("GetMetricData", usize::MAX, Fault::denied("cloudwatch:GetMetricData"));
    project.mdo("status").through(&proxy).exits(4).says("cloudwatch:GetMetricData");
}

#[test]
fn fifty_functions_take_three_calls_for_their_metrics_and_two_rounds() {
    let (Some(emulator), Some(server)) = (Emulator::shared(), metrics_server()) else { return };
    let project = TestProject::without_functions(emulator.account());
    for number in 0..50 {
        project.add_function(&format!("f{number:02}"), json!({"routes": []}));
    }
    let proxy = Proxy::in_rounds(project.account().emulator().address());
    proxy.pass_on("monitoring", server);
    project.mdo("status").through(&proxy).succeeds().says("  nothing was deployed here\n");
    let recording = proxy.recording();
    let counts = ["GetMetricData", "GetFunction", "ListRules", "GetUsagePlans", "GetApiKeys"];
    let counts = counts.map(|operation| recording.count(operation));
    assert_eq!((counts, recording.calls().len()), ([3, 50, 1, 1, 1], 56), "{:?}", recording.timeline());
    assert!(recording.depth() <= 2, "{:?}", recording.timeline());
}

#[test]
fn a_hosted_stage_is_told_by_what_its_servers_log_and_ecs_measures() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy -s GREETING=hello").succeeds();
    let (begin, day) = yesterday();
    let minute = |minute: u64| begin + 60 * minute;
    let (project, url) = (&hosted.project, hosted.proxy.url());
    let own = [("project", "shop"), ("stage", "prod"), ("function", "echo")];
    for (metric, numbers) in [
        ("Invocations", vec![(minute(60), 1.0), (minute(61), 1.0)]),
        ("Errors", vec![(minute(60), 0.0), (minute(61), 1.0)]),
        ("Duration", vec![(minute(60), 5.0), (minute(61), 7.0)]),
        ("ColdStarts", vec![(minute(60), 1.0), (minute(61), 0.0)]),
        ("Throttles", vec![(minute(60), 0.0)]),
    ] {
        put(project, &url, "mdo", &own, metric, &numbers);
    }
    let service = [("ClusterName", "shop"), ("ServiceName", "shop-prod")];
    put(project, &url, "AWS/ECS", &service, "CPUUtilization", &[(minute(60), 12.5), (minute(60), 7.5)]);
    put(project, &url, "AWS/ECS", &service, "MemoryUtilization", &[(minute(60), 30.0)]);
    let document = hosted.mdo(&format!("status --json {day}")).json();
    let echo = &document["functions"][0];
    for (field, value) in [
        ("deployed", json!(true)),
        ("invocations", json!(2)),
        ("errors", json!(1)),
        ("throttles", json!(0)),
        ("cold_starts", json!(1)),
        ("at_once", Value::Null),
        ("warm", Value::Null),
    ] {
        assert_eq!(echo[field], value, "{field}: {document:#}");
    }
    assert_eq!(document["server"]["cpu"][12], json!(10.0));
    assert_eq!(document["server"]["memory"][12], json!(30.0));
    assert_eq!((&document["server"]["running"], &document["api"]), (&json!(2), &Value::Null));
    let output = hosted.mdo(&format!("status {day}")).succeeds();
    output
        .says("  server  2 of 2 tasks running\n")
        .says(" a month at this rate (tasks $25.32, load balancer $23.73): ");
    assert!(hosted.mdo(&format!("status {day} --svg -")).succeeds().stdout.contains("Tasks: use in %"));
}
