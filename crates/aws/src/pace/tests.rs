//! Pacing against a simulated server, in virtual time: how much longer than its quota asks for, and how many refusals.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// The token bucket of a service.
struct Server {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Duration,
}

impl Server {
    fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, tokens: burst, filled: Duration::ZERO }
    }

    fn admits(&mut self, at: Duration) -> bool {
        let gained = (at - self.filled).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.filled = at;
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Ask,
    Arrive { sent: Duration },
    Answer { sent: Duration, admitted: bool },
}

/// What making the calls came to.
#[derive(Debug)]
struct Run {
    /// How long it took, in multiples of the least that the server allows.
    ratio: f64,
    /// How many of all answers were refusals.
    refused: f64,
}

/// Makes `calls` calls of one operation, at most `in_flight` at a time, each with this time there and back.
fn simulate(operation: &'static str, (rate, burst): Quota, calls: usize, in_flight: usize, ms: u64) -> Run {
    let (pace, start) = (Pace::default(), Instant::now());
    let half = Duration::from_millis(ms) / 2;
    let mut server = Server::new(rate, burst);
    let mut queue: BinaryHeap<Reverse<(Duration, usize, Step)>> =
        (0..calls.min(in_flight)).map(|call| Reverse((Duration::ZERO, call, Step::Ask))).collect();
    let (mut next, mut refused, mut end) = (queue.len(), 0, Duration::ZERO);
    while let Some(Reverse((at, call, step))) = queue.pop() {
        let (when, step) = match step {
            Step::Ask => match pace.take(operation, start + at) {
                Some(again) => (again - start, Step::Ask),
                None => (at + half, Step::Arrive { sent: at }),
            },
            Step::Arrive { sent } => (at + half, Step::Answer { sent, admitted: server.admits(at) }),
            Step::Answer { sent, admitted: false } => {
                refused += 1;
                pace.throttled(operation, start + sent, start + at, None);
                (at, Step::Ask)
            }
            Step::Answer { admitted: true, .. } => {
                pace.succeeded(operation, start + at);
                end = at;
                if next == calls {
                    continue;
                }
                next += 1;
                queue.push(Reverse((at, next - 1, Step::Ask)));
                continue;
            }
        };
        queue.push(Reverse((when, call, step)));
    }
    let count = |number: usize| f64::from(u32::try_from(number).unwrap());
    // One at a time and without any quota, the calls would take their way there and back.
    let floor = ((count(calls) - burst) / rate + half.as_secs_f64() * 2.0)
        .max((count(calls) / count(in_flight.min(calls))) * half.as_secs_f64() * 2.0);
    Run { ratio: end.as_secs_f64() / floor, refused: count(refused) / count(calls + refused) }
}

/// Both ways of coming: eight at a time, and all at once; near and far.
fn each_way(operation: &'static str, quota: Quota, calls: usize, most: f64) {
    for in_flight in [8, usize::MAX] {
        for ms in [20, 60, 200] {
            let run = simulate(operation, quota, calls, in_flight, ms);
            assert!(
                run.ratio <= most && run.refused < 0.05,
                "{operation} {quota:?} {in_flight} {ms}: {run:?}"
            );
        }
    }
}

#[test]
fn events_at_five_a_second_take_no_longer_than_they_must_and_are_hardly_refused() {
    each_way("events:ListTargetsByRule", (5.0, 5.0), 60, 1.5);
    each_way("events:ListTargetsByRule", (5.0, 5.0), 300, 1.5);
}

#[test]
fn events_at_ten_a_second_take_no_longer_than_they_must_and_are_hardly_refused() {
    each_way("events:ListTargetsByRule", (10.0, 10.0), 120, 1.5);
}

#[test]
fn events_at_twenty_a_second_take_no_longer_than_they_must_and_are_hardly_refused() {
    each_way("events:ListTargetsByRule", (20.0, 20.0), 240, 1.5);
}

#[test]
fn events_at_fifty_a_second_take_no_longer_than_they_must_and_are_hardly_refused() {
    each_way("events:ListTargetsByRule", (50.0, 50.0), 600, 1.5);
}

#[test]
fn lambda_and_api_gateway_take_no_longer_than_they_must_and_are_hardly_refused() {
    each_way("lambda:AddPermission", (15.0, 15.0), 180, 1.3);
    each_way("apigateway:GetStage", (10.0, 40.0), 160, 1.3);
    // Less than the quota says, as another pipeline draws from it.
    each_way("lambda:AddPermission", (10.0, 10.0), 180, 1.3);
}

/// When each of so many calls may go, were all ready at once.
fn seconds(pace: &Pace, operation: &'static str, start: Instant, count: usize) -> Vec<f64> {
    let mut now = start;
    let mut went = Vec::new();
    while went.len() < count {
        match pace.take(operation, now) {
            None => went.push((now - start).as_secs_f64()),
            Some(again) => now = again,
        }
    }
    went
}

#[test]
fn a_first_deploy_waits_for_nothing() {
    let (pace, now) = (Pace::default(), Instant::now());
    for operation in [
        "apigateway:GetRestApis",
        "apigateway:ImportRestApi",
        "apigateway:TagResource",
        "apigateway:CreateDeployment",
        "apigateway:CreateUsagePlan",
        "apigateway:CreateApiKey",
        "apigateway:CreateUsagePlanKey",
        "lambda:GetFunction",
        "lambda:CreateFunction",
        "lambda:CreateAlias",
        "lambda:AddPermission",
        "lambda:AddPermission",
        "iam:CreateRole",
        "events:PutRule",
    ] {
        assert_eq!(pace.take(operation, now), None, "{operation}");
    }
}

#[test]
fn deployments_go_every_five_seconds() {
    let (pace, now) = (Pace::default(), Instant::now());
    let went = seconds(&pace, "apigateway:CreateDeployment", now, 3);
    assert!(went.iter().zip([0.0, 5.0, 10.0]).all(|(went, due)| (went - due).abs() < 1e-3), "{went:?}");
}

#[test]
fn fifty_functions_are_read_at_once_but_their_policies_in_turn() {
    let (pace, now) = (Pace::default(), Instant::now());
    assert_eq!(seconds(&pace, "lambda:GetFunction", now, 50).last(), Some(&0.0));
    let policies = seconds(&pace, "lambda:GetPolicy", now, 50);
    assert_eq!(policies[14], 0.0);
    assert!((policies[49] - 35.0 / 15.0).abs() < 1e-3, "{policies:?}");
}

#[test]
fn lambda_writes_share_one_bucket() {
    let (pace, now) = (Pace::default(), Instant::now());
    seconds(&pace, "lambda:CreateFunction", now, 15);
    assert!(pace.take("lambda:AddPermission", now).is_some());
    assert_eq!(pace.take("lambda:GetFunction", now), None);
}

#[test]
fn tokens_come_back_with_time_up_to_the_burst() {
    let (pace, now) = (Pace::default(), Instant::now());
    seconds(&pace, "lambda:CreateFunction", now, 15);
    let later = now + Duration::from_secs(60);
    assert_eq!(seconds(&pace, "lambda:CreateFunction", later, 15).last(), Some(&0.0));
    assert!(pace.take("lambda:CreateFunction", later).is_some());
}

#[test]
fn a_throttled_operation_waits_as_long_as_it_is_told() {
    let (pace, now) = (Pace::default(), Instant::now());
    pace.take("lambda:CreateFunction", now);
    pace.throttled("lambda:CreateFunction", now, now, Some(Duration::from_secs(7)));
    let first = seconds(&pace, "lambda:AddPermission", now, 1)[0];
    assert!((7.0..7.2).contains(&first), "{first}");
}

#[test]
fn a_round_of_refusals_slows_down_once() {
    let (pace, now) = (Pace::default(), Instant::now());
    let sent: Vec<_> = (0..8).map(|_| now).collect();
    let answered = now + Duration::from_millis(50);
    for sent in sent {
        pace.throttled("events:PutRule", sent, answered, None);
    }
    assert_eq!(pace.lock()["events:PutRule"].rate, UNKNOWN.0 / 2.0);
}

#[test]
fn the_floor_of_many_calls_is_that_of_the_slowest_bucket() {
    assert_eq!(floor(&[("lambda:CreateFunction", 10), ("apigateway:CreateDeployment", 1)]), Duration::ZERO);
    assert_eq!(floor(&[("lambda:CreateFunction", 30), ("lambda:AddPermission", 45)]), Duration::from_secs(4));
    assert_eq!(floor(&[("apigateway:CreateDeployment", 3)]), Duration::from_secs(10));
}
