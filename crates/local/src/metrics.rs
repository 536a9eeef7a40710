//! How a local stage is doing, counted from its rings: so it is known after `mdo dev` has ended, and for as long as a ring reaches back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use mdo_engine::Error;
use mdo_engine::logs::{LogEvent, LogQuery};
use mdo_engine::metrics::{
    ApiTally, Extent, FunctionMeasure, FunctionSize, Grid, Measurement, Metrics, Payee, Tally, WarmState,
};
use mdo_model::project::{FunctionName, KeyName};
use mdo_model::stack::WarmRule;
use mdo_server::gateway::{Meter, today};

use super::LocalProvider;
use super::state::{StoredFunction, StoredStack};

/// How long until it is worth counting anew.
const RHYTHM: Duration = Duration::from_secs(2);

#[async_trait]
impl Metrics for LocalProvider {
    async fn measure(
        &self,
        functions: &BTreeSet<FunctionName>,
        grid: Grid,
        _extent: Extent,
    ) -> Result<Measurement, Error> {
        let functions = functions.clone();
        self.blocking(move |this| this.count(&functions, grid)).await
    }

    fn rhythm(&self) -> Duration {
        RHYTHM
    }
}

impl LocalProvider {
    fn count(&self, functions: &BTreeSet<FunctionName>, grid: Grid) -> Result<Measurement, Error> {
        let state = self.store.load()?;
        let mut api = ApiTally::new(grid);
        let mut measures = BTreeMap::new();
        let (mut covers, mut has_gaps) = (grid.start, false);
        // Requests for every function, and for none, are requests of the API.
        let every: BTreeSet<&FunctionName> = functions.iter().chain(state.functions.keys()).collect();
        for name in every.into_iter().map(Some).chain([None]) {
            let mut tally = Tally::new(grid);
            let begin = self.each(name, grid, |event| {
                api.push(event);
                tally.push(event);
            })?;
            covers = covers.max(begin);
            has_gaps |= tally.has_gap();
            if let Some(name) = name.filter(|name| functions.contains(*name)) {
                measures.insert(name.clone(), measure(&state, name, tally));
            }
        }
        let keys = self.used(&state)?;
        let keys = keys.into_iter().map(|(name, used)| (name.clone(), api.key(&name, used))).collect();
        Ok(Measurement {
            grid,
            covers,
            has_gaps,
            functions: measures,
            api: state.stage.is_some().then(|| api.measure()),
            throttle: state.stage.as_ref().and_then(|stage| stage.throttle),
            quota: state.stage.as_ref().and_then(|stage| stage.quota),
            keys,
            server: None,
            payee: Payee::Nobody,
            notes: Vec::new(),
        })
    }

    /// Hands over what a ring has of a time, and answers from when on that is everything.
    fn each(
        &self,
        name: Option<&FunctionName>,
        grid: Grid,
        mut take: impl FnMut(&LogEvent),
    ) -> Result<i64, Error> {
        let ring = self.store.ring(name);
        let query = LogQuery { since: grid.start, until: grid.end() - 1, ..LogQuery::default() };
        let mut position = None;
        loop {
            let page = ring.page(name, &query, position.as_deref())?;
            page.events.iter().for_each(&mut take);
            position = page.next;
            if position.is_none() {
                return Ok(ring.begin()?.unwrap_or(grid.start));
            }
        }
    }

    /// What each key has used of its quota in the present period; `None` where there is no quota to count for.
    fn used(&self, state: &StoredStack) -> Result<BTreeMap<KeyName, Option<u64>>, Error> {
        let keys: BTreeSet<KeyName> = state.keys.keys().cloned().collect();
        let mut meter = Meter::new(self.store.usage()?);
        if let Some(stage) = &state.stage {
            meter.set(stage.throttle, stage.quota, &keys);
        }
        let counted = meter.used(today()).map(|(_, used)| used);
        let used = |key: KeyName| {
            let used = counted.as_ref().map(|used| used.get(&key).copied().unwrap_or_default().into());
            (key, used)
        };
        Ok(keys.into_iter().map(used).collect())
    }
}

fn measure(state: &StoredStack, name: &FunctionName, tally: Tally) -> FunctionMeasure {
    let live = state.functions.get(name).and_then(StoredFunction::live);
    let size = live.map(|version| &version.function.configuration).map(|configuration| FunctionSize {
        memory: configuration.memory,
        architecture: configuration.architecture,
    });
    let warm = |rule: &WarmRule| WarmState { rate: rule.rate, enabled: rule.enabled };
    FunctionMeasure { size, warm: state.warm_rules.get(name).map(warm), ..tally.measure() }
}
