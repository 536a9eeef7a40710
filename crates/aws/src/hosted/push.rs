//! Brings the image of a stage into the project's repository, through the registry's own door.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mdo_engine::{Cause, Error, Run};
use mdo_model::Sha256;
use mdo_model::hosted::Outgoing;
use mdo_model::project::Names;
use mdo_model::stack::{Kind, ResourceId};
use mdo_registry::{Client, Credentials, Event, Registry, Repository};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{HostedState, repository};
use crate::client::Aws;

/// Longer than any push.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The environment variable that names further certificates to trust.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Pushes the image that a run was given, as far as the repository does not have it. `id` is whose change it is.
///
/// # Errors
/// When the registry does not let us in or refuses, and when a layer cannot be read.
pub(super) async fn push(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    run: &Run<'_>,
    id: &ResourceId,
    image: &Outgoing,
) -> Result<(), Error> {
    let is_there = ResourceId::new(Kind::Repository, &names.project);
    let ((), login) = futures::try_join!(run.usable(&is_there), repository::log_in(aws))?;
    let uri = state.known().repository.as_ref().map(|repository| repository.uri.clone());
    let gone = || Error::new(Cause::Gone, format!("repository {} is not there", names.repository()));
    let repository = uri.ok_or_else(gone)?.parse::<Repository>();
    let repository = repository.map_err(|error| Error::new(Cause::Other, error.to_string()))?;
    if repository.host() != login.host {
        let (asks, host) = (repository.host(), &login.host);
        let message = format!("the repository is at {asks}, and the login that AWS gives is for {host}");
        return Err(Error::new(Cause::Other, message));
    }
    aws.redactor.learn(&login.password);
    let client = Client::new(certificates()?.as_deref()).map_err(of_registry)?;
    let credentials = Credentials::basic(login.user, login.password.reveal());
    let registry = Registry::new(&client, &repository, credentials);
    let (tell, mut told) = mpsc::unbounded_channel();
    let observe: mdo_registry::Observe = Arc::new(move |event| drop(tell.send(event)));
    let (tag, not_cancelled) = (image.tag(), CancellationToken::new());
    let pushing = async {
        let pushed = registry.push(image, &tag, &observe, &not_cancelled).await;
        // What is told ends with whom it is told by.
        drop(observe);
        pushed
    };
    let sent = Sent::default();
    let telling = async {
        while let Some(event) = told.recv().await {
            sent.tell(event, run, id);
        }
    };
    let both = futures::future::join(pushing, telling);
    tokio::select! {
        (pushed, ()) = both => pushed.map(drop).map_err(of_registry),
        // What has arrived need not be sent again by the next run.
        interrupted = run.pause(FOR_EVER) => interrupted,
    }
}

/// How many bytes of each blob have left, of how many.
#[derive(Default)]
struct Sent(Mutex<BTreeMap<Sha256, (u64, u64)>>);

impl Sent {
    fn tell(&self, event: Event, run: &Run<'_>, id: &ResourceId) {
        match event {
            Event::Bytes { digest, done, total } => {
                let mut blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                blobs.insert(digest, (done, total));
                let sum = |part: fn(&(u64, u64)) -> u64| blobs.values().map(part).sum();
                run.uploaded(id, sum(|blob| blob.0), sum(|blob| blob.1));
            }
            Event::Waiting { why, .. } => run.waiting(id, why),
            _ => {}
        }
    }
}

fn certificates() -> Result<Option<Vec<u8>>, Error> {
    let named = std::env::var_os(CA_BUNDLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let read = |path: PathBuf| {
        std::fs::read(&path).map_err(|error| {
            let path = path.display();
            Error::new(
                Cause::Invalid,
                format!("read the certificates that {CA_BUNDLE} names, {path}: {error}"),
            )
        })
    };
    named.map(read).transpose()
}

/// What whoever pushes has to be allowed.
const NEEDS: &str = "let the credentials ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, ecr:UploadLayerPart, \
     ecr:CompleteLayerUpload, ecr:BatchGetImage and ecr:PutImage on the repository";

fn of_registry(error: mdo_registry::Error) -> Error {
    use mdo_registry::Error as Fault;
    let cause = match &error {
        Fault::Denied { .. } => Cause::Denied,
        Fault::Unreachable { .. } => Cause::Unreachable,
        Fault::NotFound { .. } => Cause::Gone,
        Fault::Busy { .. } => Cause::Throttled,
        Fault::Cancelled => Cause::Interrupted,
        _ => Cause::Other,
    };
    let help = if cause == Cause::Denied { Some(NEEDS.to_owned()) } else { error.help() };
    let error = Error::new(cause, format!("push the image: {error}"));
    match help {
        Some(help) => error.with_help(help),
        None => error,
    }
}
