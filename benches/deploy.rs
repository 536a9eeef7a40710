//! What a deploy, and a look at how it is doing, cost, run for run: calls, writes, dependent rounds, wall time and memory of the real `mdo`.
//!
//!     cargo bench --bench deploy
//!
//! It deploys to the tests' emulator through the tests' recording proxy, at which every call takes 50 ms (or as long as
//! the emulator needs, where that is longer). `calls` and `depth` are without the questions by which mdo waits for Lambda
//! to finish (`waits`); `floor` is what the depth alone costs at 50 ms; `wall` and `memory` are of the whole process.
//! Each row is the median of its runs.
#![expect(
    unsafe_code,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured with wait4, and one that fails here has failed"
)]

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::json;

#[path = "../tests/support/mod.rs"]
mod support;

use support::account::Account;
use support::command::Mdo;
use support::emulator::Emulator;
use support::hosted::metrics_server;
use support::project::TestProject;
use support::proxy::Proxy;

const LATENCY: Duration = Duration::from_millis(50);
const RUNS: usize = 5;
const MANY: usize = 50;

/// What one run cost.
struct Cost {
    calls: usize,
    waits: usize,
    writes: usize,
    depth: usize,
    wall: Duration,
    /// In bytes.
    memory: u64,
}

fn main() {
    let Some(emulator) = Emulator::shared() else { return };
    println!("{} ms a call, {RUNS} runs", LATENCY.as_millis());
    println!(
        "| scenario                       | calls | waits | writes | depth | floor  | wall   | memory  |"
    );
    println!(
        "|--------------------------------|------:|------:|-------:|------:|-------:|-------:|--------:|"
    );
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    proxy.take_in_all(LATENCY);
    let measure = |project: &TestProject, arguments: &str| cost(&proxy, project.mdo(arguments));

    let projects: Vec<TestProject> = (0..RUNS).map(|_| guide(emulator.account())).collect();
    row("first deploy", projects.iter().map(|project| measure(project, "deploy -s N_CLASSES=2")));
    let project = &projects[0];
    row("nothing changed", (0..RUNS).map(|_| measure(project, "deploy")));
    let change = |run: usize| {
        project.write("functions/sample_producer/edition.txt", &run.to_string());
        measure(project, "deploy")
    };
    row("code changed", (0..RUNS).map(change));
    row(
        "environment changed",
        (0..RUNS).map(|run| measure(project, &format!("deploy -s N_CLASSES={}", run + 3))),
    );

    let project = many(emulator.account());
    row(&format!("{MANY} functions, first deploy"), std::iter::once(measure(&project, "deploy")));
    row(&format!("{MANY} functions, nothing changed"), (0..RUNS).map(|_| measure(&project, "deploy")));
    // The emulator knows no percentiles.
    let Some(metrics) = metrics_server() else { return };
    proxy.pass_on("monitoring", metrics);
    row(&format!("{MANY} functions, status"), (0..RUNS).map(|_| measure(&project, "status")));
}

/// The guide's project: one function of a megabyte with a keyed route and a warm rule.
fn guide(account: Account) -> TestProject {
    let project = TestProject::empty(account);
    project.mdo("init --name ml_api").succeeds();
    project
}

fn many(account: Account) -> TestProject {
    let project = TestProject::without_functions(account);
    for number in 0..MANY {
        let name = format!("f{number:02}");
        project.add_function(&name, json!({"routes": [format!("GET /{name}")], "warm": {"rate": "5m"}}));
    }
    project
}

#[expect(clippy::zombie_processes, reason = "wait4 waits for it, in peak_memory")]
fn cost(proxy: &Proxy, mdo: Mdo<'_>) -> Cost {
    proxy.forget();
    let start = Instant::now();
    let child = mdo.through(proxy).starts();
    let memory = peak_memory(&child);
    let wall = start.elapsed();
    let all = proxy.recording();
    let counted = all.apart_from_waiting();
    Cost {
        calls: counted.calls().len(),
        waits: all.calls().len() - counted.calls().len(),
        writes: counted.writes().len(),
        depth: counted.depth(),
        wall,
        memory,
    }
}

/// Waits for a process, which must succeed, and asks the system how much memory it held at most, in bytes.
fn peak_memory(child: &Child) -> u64 {
    let pid = i32::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeroes are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pid is of a child that nobody else waits for, and both pointers are to live values.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0), "mdo failed");
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(usage.ru_maxrss).unwrap() * unit
}

fn row(scenario: &str, costs: impl Iterator<Item = Cost>) {
    let costs: Vec<Cost> = costs.collect();
    let floor = LATENCY * u32::try_from(median(&costs, |cost| cost.depth)).unwrap();
    println!(
        "| {scenario:<30} | {:>5} | {:>5} | {:>6} | {:>5} | {:>4.2} s | {:>4.2} s | {:>4.1} MB |",
        median(&costs, |cost| cost.calls),
        median(&costs, |cost| cost.waits),
        median(&costs, |cost| cost.writes),
        median(&costs, |cost| cost.depth),
        floor.as_secs_f64(),
        median(&costs, |cost| cost.wall).as_secs_f64(),
        median(&costs, |cost| cost.memory) as f64 / (1024.0 * 1024.0),
    );
}

fn median<T: Ord + Copy>(costs: &[Cost], of: impl Fn(&Cost) -> T) -> T {
    let mut values: Vec<T> = costs.iter().map(of).collect();
    values.sort_unstable();
    values[values.len() / 2]
}
