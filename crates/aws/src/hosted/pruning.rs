//! The revisions and images that deploys of hosted stages have left: which there are, which of them are in use, and the removal of one.

use std::collections::BTreeSet;

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageIdentifier, TagStatus};
use aws_smithy_types::date_time::{DateTime, Format};
use futures::future::try_join_all;
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{Names, StageName};
use mdo_model::stack::{Change, Image, LiveVersions, Revision, RevisionId};

use super::{repository, revisions, service, task};
use crate::client::Aws;
use crate::last_look::LastLook;
use crate::ownership::Owner;
use crate::{pages, unexpected};

/// How many images are asked for in one call.
const PAGE: i32 = 1000;

/// The revisions and images of all hosted stages. Nothing has to be observed before.
pub(crate) async fn live(aws: &Aws, names: &Names) -> Result<LiveVersions, Error> {
    let (revisions, images) = futures::try_join!(every_revision(aws, names), images(aws, names))?;
    Ok(LiveVersions { images, ..revisions })
}

/// The revisions of all hosted stages, and those that their services run or are about to.
async fn every_revision(aws: &Aws, names: &Names) -> Result<LiveVersions, Error> {
    let stages = service::stages(aws, names).await?;
    let each = stages.into_iter().map(|stage| of_stage(aws, names, stage));
    let mut live = LiveVersions::default();
    for of_stage in try_join_all(each).await? {
        live.revisions.extend(of_stage.revisions);
        live.revisions_in_use.extend(of_stage.revisions_in_use);
    }
    Ok(live)
}

/// The images that a revision needs.
async fn images_in_use(aws: &Aws, names: &Names) -> Result<BTreeSet<String>, Error> {
    let live = every_revision(aws, names).await?;
    Ok(live.revisions.into_values().filter_map(|revision| revision.image).collect())
}

/// The revisions of a stage, and those that its service runs or is about to.
async fn of_stage(aws: &Aws, names: &Names, stage: StageName) -> Result<LiveVersions, Error> {
    let names = Names { project: names.project.clone(), stage: stage.clone() };
    let (listed, named) = futures::try_join!(revisions::list(aws, &names), service::named(aws, &names))?;
    let all: BTreeSet<&String> = listed.iter().chain(&named).collect();
    let each = all.into_iter().map(async |arn| Ok::<_, Error>((arn, task::observe(aws, &names, arn).await?)));
    let mut live = LiveVersions::default();
    for (arn, found) in try_join_all(each).await? {
        let (Some(number), Some(found)) = (revisions::number(arn), found) else { continue };
        let id = RevisionId { stage: stage.clone(), number };
        if named.contains(arn) {
            live.revisions_in_use.insert(id.clone());
        }
        let image = task::image_of(&found).and_then(|image| image.rsplit_once('@'));
        let image = image.map(|(_, digest)| digest.to_owned());
        live.revisions.insert(id, Revision { image, registered: date(found.registered_at()) });
    }
    Ok(live)
}

/// The images with a tag, newest first; none where there is no repository or it is somebody else's.
async fn images(aws: &Aws, names: &Names) -> Result<Vec<(String, Image)>, Error> {
    if repository::whose(aws, names).await? != Some(Owner::Us) {
        return Ok(Vec::new());
    }
    let name = names.repository();
    let tagged = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
    let mut found: Vec<ImageDetail> = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("ecr:DescribeImages", &name, || {
                aws.ecr
                    .describe_images()
                    .repository_name(&name)
                    .filter(tagged.clone())
                    .max_results(PAGE)
                    .set_next_token(position.clone())
                    .send()
            })
            .await?;
        Ok((answer.image_details, answer.next_token))
    })
    .await?;
    found.sort_by_key(|image| std::cmp::Reverse(image.image_pushed_at().map(DateTime::as_nanos)));
    let image = |found: ImageDetail| {
        let bytes = found.image_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok());
        Some((found.image_digest()?.to_owned(), Image { bytes, pushed: date(found.image_pushed_at()) }))
    };
    Ok(found.into_iter().filter_map(image).collect())
}

fn date(at: Option<&DateTime>) -> Option<String> {
    at.and_then(|at| at.fmt(Format::DateTime).ok())
}

/// Deregisters a revision, unless the stage's service has come to name it.
pub(crate) async fn delete_revision(aws: &Aws, names: &Names, change: &Change) -> Result<Applied, Error> {
    let (stage, number) = change.id.name.rsplit_once(':').ok_or_else(|| unexpected(change))?;
    let stage: StageName = stage.parse().map_err(|_| unexpected(change))?;
    let names = Names { project: names.project.clone(), stage };
    let is_named = |arn: &String| arn.rsplit_once(':').is_some_and(|(_, named)| named == number);
    if service::named(aws, &names).await?.iter().any(is_named) {
        return Ok(Applied::kept("the stage's service has come to run it"));
    }
    match revisions::deregister(aws, &names, &format!("{}:{number}", names.service())).await {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(Applied::default()),
    }
}

/// Removes an image with all of its tags, unless a revision has come to need it.
pub(crate) async fn delete_image(
    (aws, names): (&Aws, &Names),
    last: &LastLook,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    run.all_usable(change).await?;
    if last.has(&change.id.name, images_in_use(aws, names)).await? {
        return Ok(Applied::kept("a revision has come to need it"));
    }
    let name = names.repository();
    let image = ImageIdentifier::builder().image_digest(&change.id.name).build();
    let answer = aws
        .call("ecr:BatchDeleteImage", &change.id.full_name(names), || {
            aws.ecr.batch_delete_image().repository_name(&name).image_ids(image.clone()).send()
        })
        .await;
    let answer = match answer {
        Err(error) if error.is(&Cause::Gone) => return Ok(Applied::default()),
        answer => answer?,
    };
    // An image that is not there is a failure of its own within an answer that is none.
    let failure = answer
        .failures()
        .iter()
        .find(|failure| failure.failure_code() != Some(&aws_sdk_ecr::types::ImageFailureCode::ImageNotFound));
    match failure {
        None => Ok(Applied::default()),
        Some(failure) => {
            let why = failure.failure_reason().unwrap_or("for a reason that it does not tell");
            Err(Error::new(Cause::Busy, format!("the registry keeps the image: {why}")))
        }
    }
}
