//! A small image, the client that carries it, and who listens.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mdo_model::Sha256;
use mdo_model::hosted::{Blob, Content, Outgoing};
use mdo_registry::{
    Client, Credentials, Error, Event, Fetched, Observe, Patience, Platform, Pushed, Registry,
};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How large the large layer is, in bytes: several reads, and more than a socket takes at once.
pub(crate) const LARGE: usize = 3_000_000;

/// An image of two layers.
pub(crate) struct Small {
    pub home: TempDir,
    pub outgoing: Outgoing,
}

impl Small {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let large: Vec<u8> = (0..LARGE).map(|at| (at * at % 251) as u8).collect();
        let file = |name: &str, bytes: &[u8]| {
            let path = home.path().join(name);
            fs::write(&path, bytes).unwrap();
            Blob {
                what: name.to_owned(),
                digest: Sha256::of(bytes),
                size: bytes.len() as u64,
                content: Content::File(path),
            }
        };
        let layers = [file("large", &large), file("small", b"small")];
        let config = br#"{"architecture":"amd64","os":"linux"}"#.to_vec();
        let config = Blob {
            what: "configuration".to_owned(),
            digest: Sha256::of(&config),
            size: config.len() as u64,
            content: Content::Bytes(config),
        };
        let descriptor = |blob: &Blob| json!({ "mediaType": "x", "digest": format!("sha256:{}", blob.digest), "size": blob.size });
        let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": format!("sha256:{}", config.digest), "size": config.size },
            "layers": layers.iter().map(|blob| {
                let mut layer = descriptor(blob);
                layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
                layer
            }).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = Sha256::of(&manifest);
        let blobs = [config].into_iter().chain(layers).collect();
        Self { home, outgoing: Outgoing { manifest, media_type, digest, blobs } }
    }

    pub(crate) fn digests(&self) -> Vec<String> {
        let mut digests: Vec<_> =
            self.outgoing.blobs.iter().map(|blob| format!("sha256:{}", blob.digest)).collect();
        digests.sort();
        digests
    }
}

/// Waits for nothing.
pub(crate) fn client() -> Client {
    let patience = Patience { tries: 3, first_wait: Duration::ZERO, stall: Duration::from_secs(60) };
    Client::new(None).unwrap().with_patience(patience)
}

/// The repository `team/shop` of a host.
pub(crate) fn registry(host: &str, credentials: Credentials) -> Registry {
    Registry::new(&client(), &format!("{host}/team/shop").parse().unwrap(), credentials)
}

/// Who notes what happens.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Event>>>);

impl Notes {
    pub(crate) fn observe(&self) -> Observe {
        let notes = Arc::clone(&self.0);
        Arc::new(move |event| notes.lock().unwrap().push(event))
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    /// The reasons for other tries.
    pub(crate) fn waits(&self) -> Vec<String> {
        let all = self.all().into_iter();
        all.filter_map(|event| match event {
            Event::Waiting { why, .. } => Some(why),
            _ => None,
        })
        .collect()
    }
}

pub(crate) async fn push(registry: &Registry, image: &Outgoing) -> Result<Pushed, Error> {
    registry.push(image, "v1", &Notes::default().observe(), &CancellationToken::new()).await
}

pub(crate) async fn fetch(registry: &Registry, digest: Sha256, into: &TempDir) -> Result<Fetched, Error> {
    let never = CancellationToken::new();
    registry.fetch(digest, &amd64(), &into.path().join("image"), &Notes::default().observe(), &never).await
}

pub(crate) fn amd64() -> Platform {
    Platform { os: "linux".to_owned(), architecture: "amd64".to_owned() }
}
