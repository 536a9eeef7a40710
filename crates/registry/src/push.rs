//! Pushes an image: what the registry has not yet, each blob in one piece, and the manifest last.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use hyper::{Method, StatusCode};
use mdo_model::Sha256;
use mdo_model::hosted::{Blob, Content, Outgoing};
use tokio_util::sync::CancellationToken;

use crate::body::Payload;
use crate::exchange::{Answer, Call, text};
use crate::patience::Fault;
use crate::{Error, Event, Observe, Registry};

/// How many blobs travel at once.
const AT_ONCE: usize = 3;

/// What a registry answers with the digest of what it keeps.
const CONTENT_DIGEST: &str = "docker-content-digest";

const OCTETS: &str = "application/octet-stream";

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The image's digest, which the registry has confirmed.
    pub digest: Sha256,
    /// How many blobs were sent.
    pub sent: usize,
    /// How many were there.
    pub there: usize,
    /// How many bytes were sent in blobs.
    pub bytes: u64,
}

impl Registry {
    /// Pushes the image under a tag. What is there already is not sent; with the same image under the tag nothing is.
    ///
    /// # Errors
    /// When the registry refuses, has another image under a tag that must not move, cannot be reached, or confirms another digest;
    /// when a layer's file cannot be read; and when it was cancelled.
    pub async fn push(
        &self,
        image: &Outgoing,
        tag: &str,
        observe: &Observe,
        cancel: &CancellationToken,
    ) -> Result<Pushed, Error> {
        let cancelled = cancel.run_until_cancelled(self.push_all(image, tag, observe)).await;
        cancelled.unwrap_or(Err(Error::Cancelled))
    }

    async fn push_all(&self, image: &Outgoing, tag: &str, observe: &Observe) -> Result<Pushed, Error> {
        let patience = self.client.patience;
        let mut pushed = Pushed { digest: image.digest, sent: 0, there: 0, bytes: 0 };
        let mut blobs: Vec<&Blob> = Vec::new();
        for blob in &image.blobs {
            if !blobs.iter().any(|known| known.digest == blob.digest) {
                blobs.push(blob);
            }
        }
        let manifest = self.address(&format!("manifests/{tag}"))?;
        let what = format!("image {}:{tag}", self.repository.path());
        let head = Call::new(Method::HEAD, manifest.clone(), what.clone())
            .accepting("application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json");
        let there = patience.keep_trying(observe, || self.send(&head)).await?;
        if there.header(CONTENT_DIGEST) == Some(&format!("sha256:{}", image.digest)) {
            for blob in &blobs {
                observe(Event::There { digest: blob.digest, size: blob.size });
            }
            return Ok(Pushed { there: blobs.len(), ..pushed });
        }
        let pushes: Vec<_> = blobs.into_iter().map(|blob| self.push_blob(blob, observe)).collect();
        let sent: Vec<u64> = stream::iter(pushes).buffer_unordered(AT_ONCE).try_collect().await?;
        pushed.sent = sent.iter().filter(|&&bytes| bytes > 0).count();
        pushed.there = sent.len() - pushed.sent;
        pushed.bytes = sent.iter().sum();
        let put =
            Call::new(Method::PUT, manifest, what.clone()).carrying(text(&image.manifest), &image.media_type);
        let answer = patience.keep_trying(observe, || self.send(&put)).await?;
        self.confirm(&answer, &what, image.digest)?;
        Ok(pushed)
    }

    /// Sends a blob unless it is there; answers how many bytes went.
    async fn push_blob(&self, blob: &Blob, observe: &Observe) -> Result<u64, Error> {
        let head = self.address(&format!("blobs/sha256:{}", blob.digest))?;
        let head = Call::new(Method::HEAD, head, &blob.what);
        self.client
            .patience
            .keep_trying(observe, || async {
                // Also before another try: the answer may be all that was lost.
                if self.send(&head).await?.response.status() == StatusCode::OK {
                    observe(Event::There { digest: blob.digest, size: blob.size });
                    return Ok(0);
                }
                self.upload(blob, observe).await?;
                Ok(blob.size)
            })
            .await
    }

    /// Opens an upload and sends the blob in one piece: ECR answers 201 to pieces, and drops all but the first.
    async fn upload(&self, blob: &Blob, observe: &Observe) -> Result<(), Fault> {
        let begin = self.address("blobs/uploads/")?;
        let what = format!("repository {}", self.repository.path());
        let begun = self.send(&Call::new(Method::POST, begin, what)).await?;
        let location = self.location(&begun, &begun.address)?.to_string();
        let separator = if location.contains('?') { '&' } else { '?' };
        let address = format!("{location}{separator}digest=sha256:{}", blob.digest);
        let address =
            address.parse().map_err(|_| self.malformed("an answer has no valid Location".to_owned()))?;
        let payload = match &blob.content {
            Content::Bytes(bytes) => text(bytes),
            Content::File(path) => Payload::File {
                path: path.clone(),
                digest: blob.digest,
                size: blob.size,
                observe: Arc::clone(observe),
            },
        };
        let put = Call::new(Method::PUT, address, &blob.what).carrying(payload, OCTETS);
        let answer = self.send(&put).await.map_err(|fault| self.of_upload(fault, blob))?;
        Ok(self.confirm(&answer, &blob.what, blob.digest)?)
    }

    /// A registry that has received something else says so with a code of its own.
    fn of_upload(&self, fault: Fault, blob: &Blob) -> Fault {
        match fault.error {
            Error::Refused { said, .. } if said.starts_with("DIGEST_INVALID") => {
                let (host, what) = (self.host(), blob.what.clone());
                Error::WrongDigest {
                    host,
                    what,
                    expected: blob.digest,
                    found: "of another content".to_owned(),
                }
                .into()
            }
            _ => fault,
        }
    }

    /// Compares the digest that the registry answers, if it does, with ours.
    fn confirm(&self, answer: &Answer, what: &str, expected: Sha256) -> Result<(), Error> {
        match answer.header(CONTENT_DIGEST) {
            Some(found) if found != format!("sha256:{expected}") => Err(Error::WrongDigest {
                host: self.host(),
                what: what.to_owned(),
                expected,
                found: crate::error::shown(found),
            }),
            _ => Ok(()),
        }
    }
}
