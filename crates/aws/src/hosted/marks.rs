//! What a rollback leaves on a hosted stage, so that who comes next knows of it: a tag of the service where an older revision runs again,
//! tags of the revision where one was registered anew.

use aws_sdk_ecs::types::Tag;
use mdo_engine::Error;
use mdo_model::project::Names;

use super::revisions;
use super::service::LiveService;
use crate::client::Aws;

/// The tag that says which revision a rollback has gone back from.
const FROM: &str = "mdo:rolled-back-from";

/// The tag of a revision that says which one it stands for.
const TO: &str = "mdo:rolled-back-to";

/// Where a rollback has led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The revision that it has gone back from; of several steps, the first one's.
    pub from: u32,
    /// The revision that it has gone back to, whether that runs itself or one that says the same.
    pub to: u32,
}

impl Mark {
    /// The mark of a stage that goes to what revision `to` says; none where that is no way back.
    pub(super) fn of_going(live: &LiveService, to: u32) -> Option<Self> {
        let from = live.mark.map(|mark| mark.from).or_else(|| revisions::number(&live.task_definition))?;
        (to < from).then_some(Self { from, to })
    }

    /// What the tags of a service mean, as long as it runs this revision. A deploy registers a newer one, and they mean nothing any
    /// more.
    pub(super) fn of_service(tags: &[Tag], runs: Option<u32>) -> Option<Self> {
        let mark = Self { from: number(tags, FROM)?, to: runs? };
        (mark.to < mark.from).then_some(mark)
    }

    /// What the tags of a revision mean.
    pub(super) fn of_revision(tags: &[Tag]) -> Option<Self> {
        Some(Self { from: number(tags, FROM)?, to: number(tags, TO)? })
    }

    /// The tags of a revision that is registered in the place of another one.
    pub(super) fn tags(self) -> impl Iterator<Item = (String, String)> {
        [(FROM, self.from), (TO, self.to)].into_iter().map(|(key, value)| (key.to_owned(), value.to_string()))
    }
}

/// Notes on the service that it has gone back, where `revision`, which it runs now, does not say so itself.
pub(super) async fn put(
    aws: &Aws,
    names: &Names,
    live: &LiveService,
    (mark, revision): (Option<Mark>, &str),
) -> Result<(), Error> {
    let Some(mark) = mark.filter(|mark| revisions::number(revision) == Some(mark.to)) else { return Ok(()) };
    if live.noted == Some(mark.from) {
        return Ok(());
    }
    let tag = Tag::builder().key(FROM).value(mark.from.to_string()).build();
    aws.call("ecs:TagResource", &names.service(), || {
        aws.ecs.tag_resource().resource_arn(&live.arn).tags(tag.clone()).send()
    })
    .await
    .map(drop)
}

/// The revision that a service's tag says was gone back from, whether that still means anything or not.
pub(super) fn noted(tags: &[Tag]) -> Option<u32> {
    number(tags, FROM)
}

fn number(tags: &[Tag], key: &str) -> Option<u32> {
    tags.iter().find(|tag| tag.key() == Some(key))?.value()?.parse().ok()
}
