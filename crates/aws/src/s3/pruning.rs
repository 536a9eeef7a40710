//! Packages that deploys have left in the bucket: which there are, and the removal of one.

use aws_sdk_s3::types::Object;
use aws_smithy_types::date_time::Format;
use futures::stream::{self, StreamExt, TryStreamExt};
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{Artifacts, Names};
use mdo_model::stack::{Artifact, Change};

use super::{PROJECT, key};
use crate::client::Aws;
use crate::{pages, unexpected};

/// How many objects are asked about at once.
const AT_ONCE: usize = 8;

/// The packages of the project in the bucket, newest first, by their addresses. Other objects are nobody's business.
///
/// # Errors
/// When they cannot be listed, or one of them cannot be asked whose it is.
pub(crate) async fn live(
    aws: &Aws,
    names: &Names,
    artifacts: &Artifacts,
) -> Result<Vec<(String, Artifact)>, Error> {
    let bucket = artifacts.bucket.as_str();
    let mut listed = list(aws, artifacts).await?;
    listed.sort_by_key(|object| std::cmp::Reverse(object.last_modified().map(|at| at.as_nanos())));
    let folder = key(artifacts, "");
    let packages = listed.into_iter().filter_map(|object| {
        let name = object.key()?.strip_prefix(&folder)?;
        let artifact = Artifact {
            sha256: name.strip_suffix(".zip")?.parse().ok()?,
            bytes: object.size().and_then(|size| u64::try_from(size).ok()),
            uploaded: object.last_modified().and_then(|at| at.fmt(Format::DateTime).ok()),
        };
        Some((object.key?, artifact))
    });
    let each = packages.map(|(key, artifact)| async move {
        let is_ours = is_ours(aws, names, bucket, &key).await?;
        Ok::<_, Error>(is_ours.then(|| (format!("s3://{bucket}/{key}"), artifact)))
    });
    let found: Vec<_> = stream::iter(each).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The objects of the project's folder; none where there is no such bucket yet.
async fn list(aws: &Aws, artifacts: &Artifacts) -> Result<Vec<Object>, Error> {
    let (bucket, folder) = (artifacts.bucket.as_str(), key(artifacts, ""));
    let place = format!("s3://{bucket}/{folder}");
    let listed = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("s3:ListObjectsV2", &place, || {
                let request = aws.s3.list_objects_v2().bucket(bucket).prefix(&folder).delimiter("/");
                request.set_continuation_token(position.clone()).send()
            })
            .await?;
        Ok((answer.contents, answer.next_continuation_token))
    });
    match listed.await {
        Err(error) if error.is(&Cause::Gone) => Ok(Vec::new()),
        listed => listed,
    }
}

/// Whether an object says that it is a package of the project. Projects may share a bucket.
async fn is_ours(aws: &Aws, names: &Names, bucket: &str, key: &str) -> Result<bool, Error> {
    let place = format!("s3://{bucket}/{key}");
    let found =
        aws.call("s3:HeadObject", &place, || aws.s3.head_object().bucket(bucket).key(key).send()).await;
    match found {
        Err(error) if error.is(&Cause::Gone) => Ok(false),
        found => {
            let metadata = found?.metadata.unwrap_or_default();
            Ok(metadata.get(PROJECT).is_some_and(|project| project == names.project.as_str()))
        }
    }
}

/// Removes a package. One that is not there is no error.
pub(crate) async fn delete(aws: &Aws, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
    run.all_usable(change).await?;
    let place = &change.id.name;
    let (bucket, key) = place
        .strip_prefix("s3://")
        .and_then(|address| address.split_once('/'))
        .ok_or_else(|| unexpected(change))?;
    let deleted =
        aws.call("s3:DeleteObject", place, || aws.s3.delete_object().bucket(bucket).key(key).send()).await;
    match deleted {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(Applied::default()),
    }
}
