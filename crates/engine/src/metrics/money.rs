//! What a stage has cost, and what it comes to.

use mdo_model::stack::{HOURS_OF_A_MONTH, api_cost, function_cost};

use super::{FunctionMeasure, Measurement, Payee, ServerMeasure, Used};
use crate::logs::Millis;

/// An hour, in milliseconds.
const HOUR: f64 = 3_600_000.0;

/// What a stage costs, in dollars. Traffic, logs and free tiers aside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Money {
    /// The functions, or the tasks that run them.
    pub functions: f64,
    /// What asks for them: the API, or the load balancer.
    pub front: f64,
}

impl Money {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.functions + self.front
    }
}

impl Measurement {
    /// What the stage has cost since the month began; `None` where that is not known, and where nobody is paid.
    pub fn so_far(&self) -> Option<Money> {
        match self.payee {
            Payee::Nobody => None,
            Payee::Servers => {
                let server = self.server.as_ref()?;
                let cost = server.cost?;
                Some(Money {
                    functions: server.task_hours? * cost.task,
                    front: server.month_hours * cost.load_balancer,
                })
            }
            Payee::Use => {
                let deployed = self.functions.values().filter(|function| function.size.is_some());
                let each = deployed.map(|function| function.cost(function.month?));
                let front = self.api.as_ref().map_or(Some(0.0), |api| api.month.map(api_cost))?;
                Some(Money { functions: sum(each)?, front })
            }
        }
    }

    /// What a month comes to in which the stage is used as in the time that was measured, up to a moment; of this machine, what AWS
    /// would want for the same.
    pub fn a_month(&self, until: Millis) -> Option<Money> {
        if self.payee == Payee::Servers {
            let ServerMeasure { running, cost, .. } = self.server.as_ref()?;
            let cost = (*cost)?;
            let tasks = f64::from(*running) * cost.task;
            return Some(Money {
                functions: tasks * HOURS_OF_A_MONTH,
                front: cost.load_balancer * HOURS_OF_A_MONTH,
            });
        }
        let months = self.months(until)?;
        let deployed = self.functions.values().filter(|function| function.size.is_some());
        let each = deployed.map(|function| function.cost(function.used()?));
        let requests = self.api.as_ref().map_or(Some(0.0), |api| Some(api.requests.as_ref()?.total()))?;
        Some(Money { functions: sum(each)? / months, front: api_cost(requests) / months })
    }

    /// What the pings of a function come to in a month, as in the time that was measured.
    pub fn pings_a_month(&self, function: &FunctionMeasure, until: Millis) -> Option<f64> {
        let Used { invocations, busy_ms } = function.used()?;
        let pings = function.pings.as_ref()?.total();
        // No provider tells how long pings took apart from the rest.
        let busy_ms = if invocations > 0.0 { busy_ms * pings / invocations } else { 0.0 };
        Some(function.cost(Used { invocations: pings, busy_ms })? / self.months(until)?)
    }

    /// How much of a month is covered.
    fn months(&self, until: Millis) -> Option<f64> {
        let length =
            u32::try_from((until - self.covers).max(0) / 1000).ok().filter(|seconds| *seconds > 0)?;
        Some(f64::from(length) * 1e3 / HOUR / HOURS_OF_A_MONTH)
    }
}

impl FunctionMeasure {
    fn used(&self) -> Option<Used> {
        let invocations = self.invocations.as_ref()?.total();
        Some(Used { invocations, busy_ms: self.busy_ms? })
    }

    fn cost(&self, used: Used) -> Option<f64> {
        let size = self.size?;
        Some(function_cost(used.invocations, used.busy_ms, size.memory, size.architecture))
    }
}

/// All of them together, where each is known.
fn sum(mut each: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    each.try_fold(0.0, |sum, one| Some(sum + one?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mdo_model::project::Architecture;
    use mdo_model::stack::HourlyCost;

    use super::super::{ApiMeasure, FunctionSize, Grid, Series};
    use super::*;

    const HOURLY: Grid = Grid { start: 0, step: 3_600_000, count: 2 };

    fn function(invocations: f64, month: Option<Used>) -> FunctionMeasure {
        FunctionMeasure {
            size: Some(FunctionSize { memory: 1024, architecture: Architecture::X86_64 }),
            invocations: Some(Series(vec![Some(invocations), None])),
            pings: Some(Series(vec![Some(10.0), None])),
            busy_ms: Some(invocations * 1000.0),
            month,
            ..FunctionMeasure::default()
        }
    }

    fn stage(payee: Payee, function: FunctionMeasure) -> Measurement {
        let api = ApiMeasure {
            requests: Some(Series(vec![Some(1000.0), None])),
            month: Some(1e6),
            ..ApiMeasure::default()
        };
        Measurement {
            grid: HOURLY,
            covers: 0,
            has_gaps: false,
            functions: BTreeMap::from([("f".parse().unwrap(), function)]),
            api: Some(api),
            throttle: None,
            quota: None,
            keys: BTreeMap::new(),
            server: None,
            payee,
            notes: Vec::new(),
        }
    }

    fn told(money: Option<Money>) -> String {
        money.map_or("unknown".to_owned(), |money| format!("{:.4} + {:.4}", money.functions, money.front))
    }

    #[test]
    fn a_month_is_as_the_time_that_was_measured() {
        let month = Some(Used { invocations: 1e6, busy_ms: 1e6 });
        let stage = stage(Payee::Use, function(1000.0, month));
        assert_eq!(told(stage.so_far()), "0.2167 + 3.5000");
        // 1,000 of a second and a GB in two hours.
        assert_eq!(told(stage.a_month(7_200_000)), "6.1563 + 1.2775");
        let pings = stage.pings_a_month(&stage.functions.values().next().unwrap().clone(), 7_200_000);
        assert_eq!(format!("{:.4}", pings.unwrap()), "0.0616");
        assert_eq!(told(stage.a_month(0)), "unknown");
    }

    #[test]
    fn what_is_not_known_costs_not_nothing() {
        let known = function(1000.0, None);
        assert_eq!(told(stage(Payee::Use, known.clone()).so_far()), "unknown");
        let unmeasured = FunctionMeasure { busy_ms: None, ..known.clone() };
        assert_eq!(told(stage(Payee::Use, unmeasured).a_month(7_200_000)), "unknown");
        // One that is not there costs nothing.
        let absent = FunctionMeasure { size: None, ..known.clone() };
        assert_eq!(told(stage(Payee::Use, absent).so_far()), "0.0000 + 3.5000");
        // Nobody is paid for this machine.
        assert_eq!(told(stage(Payee::Nobody, known).so_far()), "unknown");
    }

    #[test]
    fn servers_are_paid_by_the_hour() {
        let mut stage = stage(Payee::Servers, function(1.0, None));
        stage.server = Some(ServerMeasure {
            running: 2,
            task_hours: Some(100.0),
            month_hours: 60.0,
            cost: Some(HourlyCost { task: 0.02, load_balancer: 0.03 }),
            ..ServerMeasure::default()
        });
        assert_eq!(told(stage.so_far()), "2.0000 + 1.8000");
        assert_eq!(told(stage.a_month(1)), "29.2000 + 21.9000");
    }
}
