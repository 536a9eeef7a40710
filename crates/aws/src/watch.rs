//! What every answer of AWS is looked at for: how many requests there were, and what the time is there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use mdo_engine::Clock;

use crate::AwsProvider;

/// Watches the requests of all clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    requests: Arc<AtomicUsize>,
    /// By how many seconds this machine's clock was ahead at the last answer.
    ahead: Arc<Mutex<Option<i64>>>,
}

impl Watch {
    /// How many HTTP requests were sent so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let there = context.response().headers().get("date").and_then(seconds);
        if let Some(there) = there {
            let here = DateTime::from(SystemTime::now()).secs();
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(here - there);
        }
        Ok(())
    }
}

/// The time of a `Date` header, in seconds since 1970.
fn seconds(date: &str) -> Option<i64> {
    DateTime::from_str(date, Format::HttpDate).ok().map(|time| time.secs())
}

impl Clock for AwsProvider {
    fn ahead(&self) -> Option<i64> {
        *self.aws.watch.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
