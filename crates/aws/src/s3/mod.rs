//! Packages above Lambda's limit for direct uploads: content-addressed objects in the project's bucket, streamed there
//! part by part.

mod object;
mod pruning;

use std::io::SeekFrom;
use std::path::Path;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use mdo_engine::{Cause, Error, Run};
use mdo_model::Sha256;
use mdo_model::project::Artifacts;
use mdo_model::stack::ResourceId;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

pub use self::object::S3Object;
pub(crate) use self::pruning::{delete, live};
use crate::client::Aws;

/// Bytes of a part: at three at a time, what an upload holds in memory at most is known.
const PART: u64 = 8 * 1024 * 1024;

/// How many parts are under way at once.
const PARTS_AT_ONCE: usize = 3;

/// The metadata in which an object tells the project that it is a package of.
const PROJECT: &str = "mdo-project";

/// A key below the folder of the project's objects.
fn key(artifacts: &Artifacts, name: &str) -> String {
    let prefix = artifacts.prefix.trim_end_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("{prefix}{slash}{name}")
}

/// Puts a package into the bucket, unless it is there already, and returns its key.
pub(crate) async fn upload(
    aws: &Aws,
    artifacts: &Artifacts,
    path: &Path,
    sha256: Sha256,
    id: &ResourceId,
    run: &Run<'_>,
) -> Result<String, Error> {
    let (bucket, key) = (artifacts.bucket.as_str(), key(artifacts, &format!("{sha256}.zip")));
    let place = format!("s3://{bucket}/{key}");
    let size = tokio::fs::metadata(path).await?.len();
    let found =
        aws.call("s3:HeadObject", &place, || aws.s3.head_object().bucket(bucket).key(&key).send()).await;
    match found {
        Ok(object) if object.content_length().and_then(|length| u64::try_from(length).ok()) == Some(size) => {
            return Ok(key);
        }
        // Who may not list a bucket is not told what is not in it; the upload tells what else is in the way.
        Err(error) if !matches!(error.cause, Cause::Gone | Cause::Denied) => {
            return Err(error);
        }
        _ => {}
    }
    let project = Some(run.plan().names.project.as_str());
    send(aws, bucket, &key, (path, project), &|sent, size| run.uploaded(id, sent, size)).await?;
    Ok(key)
}

/// Puts a file into the bucket, in place of what is there, and returns its address.
pub(crate) async fn put(
    aws: &Aws,
    artifacts: &Artifacts,
    path: &Path,
    name: &str,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<String, Error> {
    let (bucket, key) = (artifacts.bucket.as_str(), key(artifacts, name));
    send(aws, bucket, &key, (path, None), progress).await?;
    Ok(format!("s3://{bucket}/{key}"))
}

/// Sends a file; one that goes once nothing needs it says of which project it is.
async fn send(
    aws: &Aws,
    bucket: &str,
    key: &str,
    (path, project): (&Path, Option<&str>),
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), Error> {
    let place = format!("s3://{bucket}/{key}");
    let size = tokio::fs::metadata(path).await?.len();
    let upload = aws
        .call("s3:CreateMultipartUpload", &place, || {
            let metadata = project.map(|project| [(PROJECT.to_owned(), project.to_owned())].into());
            aws.s3
                .create_multipart_upload()
                .bucket(bucket)
                .key(key)
                .content_type("application/zip")
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .set_metadata(metadata)
                .send()
        })
        .await?;
    let upload = upload.upload_id().unwrap_or_default().to_owned();
    let sent = send_parts(aws, bucket, key, &upload, path, size, |sent| progress(sent, size)).await;
    let finished = match sent {
        Ok(parts) => {
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            aws.call("s3:CompleteMultipartUpload", &place, || {
                aws.s3
                    .complete_multipart_upload()
                    .bucket(bucket)
                    .key(key)
                    .upload_id(&upload)
                    .multipart_upload(parts.clone())
                    .send()
            })
            .await
            .map(drop)
        }
        Err(error) => Err(error),
    };
    if finished.is_err() {
        // Parts of an upload that is never completed cost money until somebody removes them.
        let _ = aws
            .call("s3:AbortMultipartUpload", &place, || {
                aws.s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(&upload).send()
            })
            .await;
    }
    finished
}

async fn send_parts(
    aws: &Aws,
    bucket: &str,
    key: &str,
    upload: &str,
    path: &Path,
    size: u64,
    progress: impl Fn(u64),
) -> Result<Vec<CompletedPart>, Error> {
    let place = format!("s3://{bucket}/{key}");
    let numbered = (0..size.div_ceil(PART)).zip(1..);
    let mut parts = stream::iter(numbered)
        .map(|(index, number)| {
            let place = &place;
            async move {
                let start = index * PART;
                let length = PART.min(size - start);
                let body = Bytes::from(read_part(path, start, length).await?);
                let answer = aws
                    .send("s3:UploadPart", place, length, || {
                        aws.s3
                            .upload_part()
                            .bucket(bucket)
                            .key(key)
                            .upload_id(upload)
                            .part_number(number)
                            .checksum_algorithm(ChecksumAlgorithm::Crc32)
                            .body(body.clone().into())
                            .send()
                    })
                    .await?;
                let part = CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(answer.e_tag().map(str::to_owned))
                    .set_checksum_crc32(answer.checksum_crc32().map(str::to_owned))
                    .build();
                Ok::<_, Error>((number, length, part))
            }
        })
        .buffer_unordered(PARTS_AT_ONCE);
    let (mut done, mut sent) = (Vec::new(), 0);
    while let Some((number, length, part)) = parts.try_next().await? {
        sent += length;
        progress(sent);
        done.push((number, part));
    }
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, part)| part).collect())
}

async fn read_part(path: &Path, start: u64, length: u64) -> Result<Vec<u8>, Error> {
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(SeekFrom::Start(start)).await?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_content() {
        let sha256 = Sha256::of(b"");
        for (prefix, folder) in [("mdo/", "mdo/"), ("team/mdo", "team/mdo/"), ("", "")] {
            let artifacts = Artifacts { bucket: "b".to_owned(), prefix: prefix.to_owned() };
            assert_eq!(key(&artifacts, &format!("{sha256}.zip")), format!("{folder}{sha256}.zip"));
        }
    }

    #[tokio::test]
    async fn parts_add_up_to_the_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"0123456789").expect("write");
        assert_eq!(read_part(file.path(), 0, 4).await.expect("read"), b"0123");
        assert_eq!(read_part(file.path(), 8, 2).await.expect("read"), b"89");
    }
}
