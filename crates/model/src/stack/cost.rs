//! What a stage costs, from AWS's price lists of `us-east-1` as of 1 November 2026: AWS Lambda, Amazon API Gateway (REST), AWS Fargate
//! (Linux), Elastic Load Balancing (Application Load Balancer) and Amazon VPC (public IPv4 addresses).
//!
//! The first tier of each list holds: mdo knows of no account what else it uses. Free tiers are not taken off, for the same reason.

use super::hosted::Server;
use super::identity::Kind;
use super::plan::Plan;
use super::resource::Resource;
use crate::project::Architecture;

/// The day of the prices below.
pub const PRICES_OF: &str = "November 2026";

/// The region of the prices below.
pub const PRICES_IN: &str = "us-east-1";

/// The hours of a month, as AWS's own calculator counts them.
pub const HOURS: f64 = 730.0;

/// A request of a function, in dollars.
const INVOCATION: f64 = 0.20 / 1e6;

/// A request of a REST API, in dollars.
const API_REQUEST: f64 = 3.50 / 1e6;

/// An hour of a load balancer, without what it is used for, in dollars.
const LOAD_BALANCER: f64 = 0.0225;

/// An hour of a public IPv4 address, in dollars.
const ADDRESS: f64 = 0.005;

/// The addresses of a load balancer: one for each of its two zones.
const LOAD_BALANCER_ADDRESSES: f64 = 2.0;

/// An hour of one vCPU and one of one GB of memory, in dollars.
fn task_prices(architecture: Architecture) -> (f64, f64) {
    match architecture {
        Architecture::X86_64 => (0.04048, 0.004_445),
        Architecture::Arm64 => (0.03238, 0.003_56),
    }
}

/// A second of a function with one GB of memory, in dollars.
fn gigabyte_second(architecture: Architecture) -> f64 {
    match architecture {
        Architecture::X86_64 => 0.000_016_666_7,
        Architecture::Arm64 => 0.000_013_333_4,
    }
}

/// What so many events of a function cost, in dollars, that took so many milliseconds together with so many MB of memory. Traffic, logs
/// and storage above the free 512 MB are not in it.
pub fn function_cost(invocations: f64, busy_ms: f64, memory: u32, architecture: Architecture) -> f64 {
    let gigabyte_seconds = busy_ms / 1e3 * f64::from(memory) / 1024.0;
    invocations * INVOCATION + gigabyte_seconds * gigabyte_second(architecture)
}

/// What so many requests of an API cost, in dollars.
pub fn api_cost(requests: f64) -> f64 {
    requests * API_REQUEST
}

/// What a hosted stage costs in an hour, in dollars: without traffic, logs and what Spot saves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourlyCost {
    /// Each task.
    pub task: f64,
    /// The load balancer, which the project's hosted stages share.
    pub load_balancer: f64,
}

impl HourlyCost {
    /// The cost of a server.
    pub fn of(server: &Server) -> Self {
        let (cpu, memory) = task_prices(server.architecture);
        Self {
            task: server.size.vcpu() * cpu + f64::from(server.size.memory) / 1024.0 * memory + ADDRESS,
            load_balancer: LOAD_BALANCER + LOAD_BALANCER_ADDRESSES * ADDRESS,
        }
    }
}

/// What a hosted stage costs in a month, in dollars: without traffic, logs and what Spot saves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonthlyCost {
    /// With as few tasks as the stage may have.
    pub least: f64,
    /// With as many as it may have.
    pub most: f64,
    /// What of both is the load balancer's, which the project's hosted stages share.
    pub load_balancer: f64,
}

impl MonthlyCost {
    /// The cost of a server.
    pub fn of(server: &Server) -> Self {
        let hour = HourlyCost::of(server);
        let load_balancer = hour.load_balancer * HOURS;
        let of = |tasks: u16| f64::from(tasks) * hour.task * HOURS + load_balancer;
        Self { least: of(server.tasks.min), most: of(server.tasks.max), load_balancer }
    }
}

/// How a plan changes what its server costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostChange {
    /// What it costs now; `None` where there is none.
    pub before: Option<MonthlyCost>,
    /// What it will cost.
    pub after: MonthlyCost,
    /// Whether its tasks run on spare capacity, for less.
    pub spot: bool,
    /// The fewest tasks.
    pub tasks: u16,
    /// Whether the load balancer is there already, for another stage.
    pub shares_load_balancer: bool,
}

impl Plan {
    /// What the server of this plan costs, where the plan changes that.
    pub fn cost(&self) -> Option<CostChange> {
        let server = |resource: &Option<Resource>| match resource {
            Some(Resource::Server(server)) => Some(server.clone()),
            _ => None,
        };
        let change = self.changes.iter().find(|change| change.id.kind == Kind::Server)?;
        let (before, after) = (server(&change.before), server(&change.after)?);
        let cost = CostChange {
            before: before.as_deref().map(MonthlyCost::of),
            after: MonthlyCost::of(&after),
            spot: after.spot,
            tasks: after.tasks.min,
            shares_load_balancer: !self.changes.iter().any(|change| change.id.kind == Kind::LoadBalancer),
        };
        let was_spot = before.is_some_and(|before| before.spot);
        let is_same = cost.before == Some(cost.after) && was_spot == cost.spot;
        (!is_same).then_some(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{TaskSize, Tasks};

    fn server(tasks: Tasks, architecture: Architecture) -> Server {
        let server = serde_json::json!({
            "image": "sha256:0", "cpu": 256, "memory": 512, "architecture": architecture,
            "tasks": tasks, "description": "", "routes": {}, "cors": false, "functions": {}, "keys": [],
            "throttle": null, "security_groups": [], "subnets": null, "health": "/-/health", "drain": 30,
            "stop_timeout": 46, "task_role": null, "secrets": {}, "spot": false, "log_retention_days": 30,
            "rolls_back": true, "reachable": true, "owned": true,
        });
        let server: Server = serde_json::from_value(server).unwrap();
        assert_eq!(server.size, TaskSize::SMALLEST);
        server
    }

    #[test]
    fn ten_thousand_requests_a_day_cost_about_a_dollar_a_month() {
        let requests = 10_000.0 * 30.0;
        let functions = function_cost(requests, requests * 2.0, 128, Architecture::X86_64);
        assert_eq!(format!("{functions:.4} {:.4}", api_cost(requests)), "0.0613 1.0500");
        assert!(
            function_cost(1.0, 100.0, 512, Architecture::Arm64)
                < function_cost(1.0, 100.0, 512, Architecture::X86_64)
        );
    }

    #[test]
    fn two_of_the_smallest_tasks_cost_49_dollars_a_month_and_one_36() {
        let cost =
            |min, max, architecture| MonthlyCost::of(&server(Tasks { min, max, cpu: None }, architecture));
        assert_eq!(cost(2, 2, Architecture::X86_64).least.round(), 49.0);
        assert_eq!(cost(1, 10, Architecture::X86_64).least.round(), 36.0);
        assert_eq!(cost(1, 10, Architecture::X86_64).most.round(), 150.0);
        assert!(cost(2, 2, Architecture::Arm64).least < cost(2, 2, Architecture::X86_64).least);
        assert_eq!(cost(2, 2, Architecture::X86_64).load_balancer.round(), 24.0);
    }
}
