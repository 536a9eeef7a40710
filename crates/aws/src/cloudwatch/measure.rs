//! How a stage on AWS is doing: its metrics, and what is live beside them, read all at once.
//!
//! A stage is told from others by the alias that its functions are called by, and by its API's stage; a hosted one by what its servers log
//! of each request in the embedded metric format. Sources of the names:
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use mdo_engine::logs::{Millis, now};
use mdo_engine::metrics::{
    ApiMeasure, ColdStarts, Extent, FunctionMeasure, FunctionSize, Grid, KeyMeasure, Measurement, Metrics,
    Payee, Percentiles, ServerMeasure, Used, WarmState,
};
use mdo_engine::{Error, Scope};
use mdo_model::project::{FunctionName, KeyName, Throttle};
use mdo_model::stack::HourlyCost;

use super::answers::Answers;
use super::asked::{Asked, Place};
use super::read;
use crate::api_gateway::{self, Limits};
use crate::lambda::{self, Lookup};
use crate::{AwsProvider, events};

/// How often CloudWatch has something new.
const RHYTHM: Duration = Duration::from_secs(60);

const MINUTE: Millis = 60 * 1000;
const DAY: Millis = 24 * 60 * 60 * 1000;
const HOUR: f64 = 3_600_000.0;

/// Where the metrics of a function are in what is asked for.
struct FunctionPlaces {
    invocations: Place,
    errors: Option<Place>,
    throttles: Option<Place>,
    /// Of each span, and of all of them together.
    durations: Option<(Percentiles<Place>, Percentiles<Place>)>,
    busy: Place,
    /// Of Lambda's.
    at_once: Option<Place>,
    /// Of Lambda's.
    pings: Option<Place>,
    /// Of a server's.
    cold: Option<Place>,
}

/// Where the metrics of the API are.
struct ApiPlaces {
    requests: Place,
    client_errors: Place,
    server_errors: Place,
    latency: Percentiles<Place>,
}

/// Where the metrics of a server are.
struct ServerPlaces {
    cpu: Place,
    memory: Place,
}

/// What is asked for of the time that is measured.
#[derive(Default)]
struct Window {
    asked: Asked,
    functions: BTreeMap<FunctionName, FunctionPlaces>,
    api: Option<ApiPlaces>,
    server: Option<ServerPlaces>,
}

/// What is asked for of the month.
#[derive(Default)]
struct Month {
    asked: Asked,
    functions: BTreeMap<FunctionName, (Place, Place)>,
    requests: Option<Place>,
    task_minutes: Option<Place>,
}

/// What is live beside the metrics.
#[derive(Default)]
struct Beside {
    sizes: BTreeMap<FunctionName, FunctionSize>,
    warm: BTreeMap<FunctionName, WarmState>,
    /// Whether the stage has an API.
    has_api: bool,
    limits: Limits,
    keys: BTreeMap<KeyName, KeyMeasure>,
    server: Option<ServerMeasure>,
    notes: Vec<String>,
}

#[async_trait]
impl Metrics for AwsProvider {
    async fn measure(
        &self,
        functions: &BTreeSet<FunctionName>,
        grid: Grid,
        extent: Extent,
    ) -> Result<Measurement, Error> {
        self.identify_if_bound().await?;
        let now = now();
        let begin = month_of(now);
        let is_whole = extent == Extent::Whole;
        let window = self.window(functions, grid, is_whole);
        let month = if is_whole { self.month(functions) } else { Month::default() };
        let (found, used, beside) = futures::try_join!(
            read(&self.aws, &window.asked, (grid.start, grid.end())),
            // The minute that is not over is in it.
            read(&self.aws, &month.asked, (begin, now + MINUTE)),
            Box::pin(self.beside(functions, is_whole)),
        )?;
        let is_hosted = self.hosted.hosts();
        let mut measures: BTreeMap<FunctionName, FunctionMeasure> = BTreeMap::new();
        for (name, places) in &window.functions {
            let mut measure = of_function(places, &found, grid);
            measure.size = beside.sizes.get(name).copied();
            measure.warm = beside.warm.get(name).copied();
            measure.month = month.functions.get(name).and_then(|(invocations, busy)| {
                Some(Used { invocations: used.total(*invocations)?, busy_ms: used.total(*busy)? })
            });
            measures.insert(name.clone(), measure);
        }
        let mut notes = beside.notes;
        if !is_hosted {
            notes.extend(self.count_cold_starts(&mut measures, grid).await);
        }
        let api = window.api.as_ref().filter(|_| beside.has_api).map(|places| ApiMeasure {
            month: month.requests.and_then(|place| used.total(place)),
            ..of_api(places, &found, grid)
        });
        let server = beside.server.map(|server| ServerMeasure {
            cpu: window.server.as_ref().and_then(|places| found.series(places.cpu, grid, f64::max)),
            memory: window.server.as_ref().and_then(|places| found.series(places.memory, grid, f64::max)),
            task_hours: month.task_minutes.and_then(|place| used.total(place)).map(|minutes| minutes / 60.0),
            month_hours: hours(now - begin),
            ..server
        });
        let (throttle, quota) = beside.limits;
        Ok(Measurement {
            grid,
            covers: grid.start,
            has_gaps: false,
            functions: measures,
            api,
            throttle,
            quota,
            keys: beside.keys,
            server,
            payee: if is_hosted { Payee::Servers } else { Payee::Use },
            notes,
        })
    }

    fn rhythm(&self) -> Duration {
        RHYTHM
    }
}

impl AwsProvider {
    /// What a function is called in metrics: by the stage's alias, or by what its servers say.
    fn thing(&self, name: &FunctionName) -> (&'static str, Vec<(&'static str, String)>) {
        let stage = self.names.stage.to_string();
        if self.hosted.hosts() {
            let project = self.names.project.to_string();
            return ("mdo", vec![("project", project), ("stage", stage), ("function", name.to_string())]);
        }
        let full = self.names.function(name);
        let alias = format!("{full}:{stage}");
        ("AWS/Lambda", vec![("FunctionName", full), ("Resource", alias)])
    }

    fn window(&self, functions: &BTreeSet<FunctionName>, grid: Grid, is_whole: bool) -> Window {
        let (step, whole, is_hosted) = (grid.step, grid.end() - grid.start, self.hosted.hosts());
        let mut window = Window::default();
        let asked = &mut window.asked;
        for name in functions {
            let (namespace, dimensions) = self.thing(name);
            let own = (namespace, &dimensions[..]);
            let rule = [("RuleName", self.names.warm_rule(name))];
            let places = FunctionPlaces {
                invocations: asked.ask(own, "Invocations", "Sum", step),
                errors: is_whole.then(|| asked.ask(own, "Errors", "Sum", step)),
                throttles: is_whole.then(|| asked.ask(own, "Throttles", "Sum", step)),
                durations: is_whole.then(|| {
                    let each = asked.percentiles(own, "Duration", step);
                    (each, asked.percentiles(own, "Duration", whole))
                }),
                busy: asked.ask(own, "Duration", "Sum", step),
                at_once: (is_whole && !is_hosted)
                    .then(|| asked.ask(own, "ConcurrentExecutions", "Maximum", step)),
                pings: (!is_hosted).then(|| asked.ask(("AWS/Events", &rule), "Invocations", "Sum", step)),
                cold: is_hosted.then(|| asked.ask(own, "ColdStarts", "Sum", step)),
            };
            window.functions.insert(name.clone(), places);
        }
        if !is_whole {
            return window;
        }
        if is_hosted {
            let dimensions = self.service();
            let own = ("AWS/ECS", &dimensions[..]);
            window.server = Some(ServerPlaces {
                cpu: asked.ask(own, "CPUUtilization", "Average", step),
                memory: asked.ask(own, "MemoryUtilization", "Average", step),
            });
        } else {
            let dimensions = self.api();
            let own = ("AWS/ApiGateway", &dimensions[..]);
            window.api = Some(ApiPlaces {
                requests: asked.ask(own, "Count", "SampleCount", step),
                client_errors: asked.ask(own, "4XXError", "Sum", step),
                server_errors: asked.ask(own, "5XXError", "Sum", step),
                latency: asked.percentiles(own, "Latency", whole),
            });
        }
        window
    }

    fn month(&self, functions: &BTreeSet<FunctionName>) -> Month {
        let mut month = Month::default();
        let asked = &mut month.asked;
        if self.hosted.hosts() {
            // Each task tells of itself once a minute.
            let dimensions = self.service();
            let own = ("AWS/ECS", &dimensions[..]);
            month.task_minutes = Some(asked.ask(own, "CPUUtilization", "SampleCount", DAY));
            return month;
        }
        for name in functions {
            let (namespace, dimensions) = self.thing(name);
            let own = (namespace, &dimensions[..]);
            let places = (asked.ask(own, "Invocations", "Sum", DAY), asked.ask(own, "Duration", "Sum", DAY));
            month.functions.insert(name.clone(), places);
        }
        month.requests = Some(asked.ask(("AWS/ApiGateway", &self.api()), "Count", "SampleCount", DAY));
        month
    }

    fn api(&self) -> [(&'static str, String); 2] {
        [("ApiName", self.names.api()), ("Stage", self.names.stage.to_string())]
    }

    fn service(&self) -> [(&'static str, String); 2] {
        [("ClusterName", self.names.cluster()), ("ServiceName", self.names.service())]
    }

    async fn beside(&self, functions: &BTreeSet<FunctionName>, is_whole: bool) -> Result<Beside, Error> {
        if self.hosted.hosts() {
            return self.beside_servers(functions).await;
        }
        let keys = async { if is_whole { self.keys().await } else { Ok(Beside::default()) } };
        let (sizes, warm, keys) =
            futures::try_join!(self.sizes(functions), events::states(&self.aws, &self.names), keys)?;
        Ok(Beside { sizes, warm, ..keys })
    }

    /// How large the functions at the stage are, and with the first answer whose account it is.
    async fn sizes(
        &self,
        functions: &BTreeSet<FunctionName>,
    ) -> Result<BTreeMap<FunctionName, FunctionSize>, Error> {
        let stage = self.names.stage.as_str();
        let each = functions.iter().map(async |name| {
            let live = match lambda::look_up(&self.aws, &self.names, name, Some(stage)).await? {
                Lookup::Found(live) => live,
                Lookup::Absent(account) => {
                    account.map_or(Ok(()), |account| self.aws.note_account(account))?;
                    return Ok(None);
                }
            };
            if let Some(account) = lambda::account_in(&live.arn) {
                self.aws.note_account(account)?;
            }
            let configuration = live.function.configuration;
            let size =
                FunctionSize { memory: configuration.memory, architecture: configuration.architecture };
            Ok::<_, Error>(Some((name.clone(), size)))
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// Whether the stage has a usage plan, and so an API; its limits; and what the keys have used.
    async fn keys(&self) -> Result<Beside, Error> {
        let (plan, keys) = futures::try_join!(
            api_gateway::limited_by(&self.aws, &self.names),
            api_gateway::key_ids(&self.aws, &self.names),
        )?;
        let Some((plan, limits)) = plan else { return Ok(Beside::default()) };
        let mut beside = Beside { has_api: true, limits, ..Beside::default() };
        let used = match limits.1 {
            Some(quota) => api_gateway::quota_used(&self.aws, &self.names, &plan, quota).await.map(Some),
            None => Ok(None),
        };
        let used = used.unwrap_or_else(|error| {
            beside.notes.push(format!("what the keys have used is not known: {error}"));
            None
        });
        // Who has made no request is not listed.
        let count = |id: &String| used.as_ref().map(|used| used.get(id).copied().unwrap_or_default());
        let measure = |id: &String| KeyMeasure { used: count(id), refused: None };
        beside.keys = keys.iter().map(|(name, id)| (name.clone(), measure(id))).collect();
        Ok(beside)
    }

    async fn beside_servers(&self, functions: &BTreeSet<FunctionName>) -> Result<Beside, Error> {
        let scope = Scope { functions: functions.clone(), ..Scope::default() };
        let observed = self.observe_stack(&scope).await?;
        let Some(server) = observed.stack.server else { return Ok(Beside::default()) };
        let live = observed.server.unwrap_or_default();
        let size = FunctionSize { memory: 0, architecture: server.architecture };
        let throttle: Option<Throttle> = server.throttle;
        Ok(Beside {
            sizes: server.functions.keys().map(|name| (name.clone(), size)).collect(),
            limits: (throttle, None),
            keys: server.keys.iter().map(|name| (name.clone(), KeyMeasure::default())).collect(),
            server: Some(ServerMeasure {
                running: live.running,
                wanted: live.wanted,
                cost: Some(HourlyCost::of(&server)),
                ..ServerMeasure::default()
            }),
            ..Beside::default()
        })
    }
}

fn of_function(places: &FunctionPlaces, found: &Answers, grid: Grid) -> FunctionMeasure {
    let cold = |place| Some(ColdStarts { series: found.counted(place, grid)?, is_complete: true });
    FunctionMeasure {
        invocations: found.counted(places.invocations, grid),
        errors: places.errors.and_then(|place| found.counted(place, grid)),
        throttles: places.throttles.and_then(|place| found.counted(place, grid)),
        pings: places.pings.and_then(|place| found.counted(place, grid)),
        at_once: places.at_once.and_then(|place| found.series(place, grid, f64::max)),
        durations: places.durations.and_then(|(each, _)| found.percentile_series(each, grid)),
        duration: places.durations.and_then(|(_, all)| found.percentiles(all)),
        busy_ms: found.total(places.busy),
        cold: places.cold.and_then(cold),
        ..FunctionMeasure::default()
    }
}

fn of_api(places: &ApiPlaces, found: &Answers, grid: Grid) -> ApiMeasure {
    ApiMeasure {
        requests: found.counted(places.requests, grid),
        client_errors: found.counted(places.client_errors, grid),
        server_errors: found.counted(places.server_errors, grid),
        latency: found.percentiles(places.latency),
        month: None,
    }
}

/// When the month of a moment began.
fn month_of(now: Millis) -> Millis {
    use aws_smithy_types::date_time::{DateTime, Format};
    let today = super::moment(now);
    let first = format!("{}-01T00:00:00Z", today.get(..7).unwrap_or_default());
    DateTime::from_str(&first, Format::DateTime).map_or(now, |first| first.secs() * 1000)
}

fn hours(span: Millis) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a month has not so many milliseconds")]
    let span = span as f64;
    span / HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_with_its_first_day() {
        // 2026-11-27T10:00:00Z and 2026-11-01T00:00:00Z.
        assert_eq!(month_of(1_795_773_600_000), 1_793_491_200_000);
        assert_eq!(month_of(1_793_491_200_000), 1_793_491_200_000);
    }
}
