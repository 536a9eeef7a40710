//! What only a live stack can answer, beside observing and changing it.

use async_trait::async_trait;
use bytes::Bytes;
use mdo_engine::{Cause, Day, DayUsage, Error, Invocation, Invoke, Keys, Pings, Recent};
use mdo_model::project::{FunctionName, KeyName, Secret};
use mdo_model::stack::KeyEnd;
use mdo_server::runtime::InvokeContext;

use super::state::{self, StoredFunction};
use super::{LAST_LINES, LocalProvider};

#[async_trait]
impl Invoke for LocalProvider {
    async fn invoke(&self, function: &FunctionName, payload: &[u8]) -> Result<Invocation, Error> {
        let state = self.blocking(|this| this.store.load()).await?;
        let stored = state.functions.get(function);
        if let Some(version) = stored.and_then(StoredFunction::live) {
            let runtime = version.function.configuration.runtime.clone();
            let name = function.clone();
            self.blocking(move |this| this.check_interpreter(&name, &runtime)).await?;
        }
        let live = stored.and_then(|stored| self.invoked(function, stored)).ok_or_else(|| {
            Error::new(
                Cause::Gone,
                format!("there is no function {function} at stage {} on this machine", self.names.stage),
            )
            .with_help(format!("deploy it first: mdo deploy --local --stage {}", self.names.stage))
        })?;
        let result = live.runtime.invoke(Bytes::copy_from_slice(payload), InvokeContext::default()).await;
        let result = result.map_err(|refused| {
            Error::new(Cause::Invalid, format!("function {function} was not run: {refused}"))
                .with_reference(refused.code())
        })?;
        // The command may end with this event.
        self.blocking(|this| {
            this.book.finish(LAST_LINES);
            Ok(())
        })
        .await?;
        Ok(Invocation {
            payload: result.payload.to_vec(),
            error: result.error.map(|error| error.header().to_owned()),
            log_tail: String::from_utf8_lossy(&result.log_tail).into_owned(),
            version: Some(live.version.to_string()),
        })
    }
}

#[async_trait]
impl Keys for LocalProvider {
    async fn key_value(&self, key: &KeyName) -> Result<Secret, Error> {
        let mut state = self.blocking(|this| this.store.load()).await?;
        state.keys.remove(key).map(|key| key.value).ok_or_else(|| {
            let message = format!("there is no key {key} at stage {} on this machine", self.names.stage);
            Error::new(Cause::Gone, message)
                .with_help(format!("create it: mdo key create {key} --local --stage {}", self.names.stage))
        })
    }

    async fn retire_key(&self, key: &KeyName, becomes: &KeyName, ends: &str) -> Result<(), Error> {
        let (key, becomes, ends) = (key.clone(), becomes.clone(), ends.to_owned());
        self.update(move |state| {
            let missing = || Error::new(Cause::Gone, format!("there is no key {key} on this machine"));
            let mut stored = state.keys.remove(&key).ok_or_else(missing)?;
            stored.resource.ends = Some(KeyEnd { at: ends, has_passed: false });
            state.keys.insert(becomes, stored);
            Ok(())
        })
        .await
        .map(drop)
    }

    async fn key_usage(&self, key: &KeyName, _days: (Day, Day)) -> Result<Vec<DayUsage>, Error> {
        let key = key.clone();
        self.blocking(move |this| {
            let quota = this.store.load()?.stage.and_then(|stage| stage.quota);
            let used = this.store.usage()?.remove(&key);
            let Some(quota) = quota else {
                let message = "this machine counts requests where a quota wants it, and the stage has none";
                return Err(Error::new(Cause::Invalid, message)
                    .with_help("give it one in project.toml: `quota` under [api]"));
            };
            let used = used.unwrap_or_default();
            let day = state::day(used.period);
            let (used, limit) = (u64::from(used.used), u64::from(quota.limit));
            Ok(vec![DayUsage { day, used, left: Some(limit.saturating_sub(used)) }])
        })
        .await
    }
}

#[async_trait]
impl Pings for LocalProvider {
    async fn pings(&self, function: &FunctionName) -> Result<Recent, Error> {
        let function = function.clone();
        let pings = self.blocking(move |this| this.store.pings(&function)).await?;
        Ok(Recent { pings, ..Recent::default() })
    }
}
