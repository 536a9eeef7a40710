//! Which provider a stack lives at: the one place that knows them both.

use std::sync::Arc;

use mdo_aws::{AwsProvider, S3Object, SecretReader};
use mdo_engine::logs::Logs;
use mdo_engine::metrics::Metrics;
use mdo_engine::{
    Alarms, Cause, Clock, Error, Fetch, FindOrigin, ForeignPolicies, History, Invoke, Keys, Permissions,
    Pings, Provider, Quotas, Revisions, Secrets, Share, Versions,
};
use mdo_https::HttpsFile;
use mdo_local::LocalProvider;
use mdo_model::project::{Settings, ZipSource};

use super::interrupt::signals;

/// Where a stack can live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// On AWS.
    Aws,
    /// On this machine.
    Local,
}

/// A provider with everything that it can do.
pub(super) struct Connection {
    pub provider: Arc<dyn Provider>,
    pub invoke: Arc<dyn Invoke>,
    pub keys: Arc<dyn Keys>,
    pub pings: Arc<dyn Pings>,
    pub logs: Arc<dyn Logs>,
    pub history: Arc<dyn History>,
    pub metrics: Arc<dyn Metrics>,
    /// The project's bucket; this machine has none.
    pub share: Option<Arc<dyn Share>>,
    /// What deploys have left there; on this machine they leave nothing.
    pub versions: Option<Arc<dyn Versions>>,
    /// What hosted stages have run; this machine keeps nothing of it.
    pub revisions: Option<Arc<dyn Revisions>>,
    /// What looks up the values that variables refer to; this machine keeps none.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// How much of the account's quotas is used up; this machine has none.
    pub quotas: Option<Arc<dyn Quotas>>,
    /// What a deploy may do; on this machine everything.
    pub permissions: Option<Arc<dyn Permissions>>,
    /// What somebody has given the project's roles by hand; this machine has no roles.
    pub foreign_policies: Option<Arc<dyn ForeignPolicies>>,
    /// The alarms of the account; this machine has none.
    pub alarms: Option<Arc<dyn Alarms>>,
    /// The provider's clock, where it is not this machine's.
    pub clock: Option<Arc<dyn Clock>>,
    /// The provider itself where it is this machine, for who serves it.
    pub local: Option<Arc<LocalProvider>>,
}

/// Connects to the provider of a project's stack at a stage.
///
/// `origin` finds what new versions record; it is asked only when one is made.
///
/// # Errors
/// When the provider cannot be reached or set up.
pub(super) async fn connect(
    location: Location,
    settings: &Settings,
    origin: FindOrigin,
) -> Result<Connection, Error> {
    match location {
        Location::Local => {
            let local =
                Arc::new(LocalProvider::open(&settings.root, settings.names(), settings.region.clone()));
            Ok(Connection { local: Some(Arc::clone(&local)), ..connection(local) })
        }
        Location::Aws => {
            let aws = Arc::new(AwsProvider::connect(settings, origin, signals()).await?);
            Ok(Connection {
                share: Some(Arc::clone(&aws) as _),
                versions: Some(Arc::clone(&aws) as _),
                revisions: Some(Arc::clone(&aws) as _),
                secrets: Some(Arc::clone(&aws) as _),
                quotas: Some(Arc::clone(&aws) as _),
                permissions: Some(Arc::clone(&aws) as _),
                foreign_policies: Some(Arc::clone(&aws) as _),
                alarms: Some(Arc::clone(&aws) as _),
                clock: Some(Arc::clone(&aws) as _),
                ..connection(aws)
            })
        }
    }
}

/// What looks up the values that variables refer to, for a stack on this machine.
///
/// # Errors
/// When no region is configured, or the AWS configuration cannot be read.
pub(super) async fn secrets(settings: &Settings) -> Result<Arc<dyn Secrets>, Error> {
    Ok(Arc::new(SecretReader::connect(settings, signals()).await?))
}

/// What fetches a prebuilt zip from elsewhere, wherever the stack lives.
///
/// # Errors
/// When what it needs of the configuration cannot be read, or is not there.
pub(super) async fn zip(source: &ZipSource, settings: &Settings) -> Result<Arc<dyn Fetch>, Error> {
    match source {
        ZipSource::Https(address) => Ok(Arc::new(HttpsFile::new(address.clone())?)),
        ZipSource::S3 { bucket, key } => {
            Ok(Arc::new(S3Object::connect(settings, bucket, key, signals()).await?))
        }
        ZipSource::Path(path) => Err(Error::new(Cause::Invalid, format!("{path} is on this machine"))),
    }
}

fn connection<P: Provider + Invoke + Keys + Pings + Logs + History + Metrics + 'static>(
    provider: Arc<P>,
) -> Connection {
    Connection {
        provider: Arc::clone(&provider) as _,
        invoke: Arc::clone(&provider) as _,
        keys: Arc::clone(&provider) as _,
        pings: Arc::clone(&provider) as _,
        logs: Arc::clone(&provider) as _,
        history: Arc::clone(&provider) as _,
        metrics: provider,
        share: None,
        versions: None,
        revisions: None,
        secrets: None,
        quotas: None,
        permissions: None,
        foreign_policies: None,
        alarms: None,
        clock: None,
        local: None,
    }
}
