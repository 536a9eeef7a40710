//! What the tags of a function say of its stages, beside whose it is: that a stage was rolled back, and which version is on trial there.
//!
//! An alias tells neither in the answers that a deploy reads anyway, and to ask for each alias as well would draw on the smallest quota that
//! Lambda has.

use std::collections::HashMap;

use mdo_engine::Error;
use mdo_model::project::{FunctionName, Names, Tags};

use crate::AwsProvider;
use crate::ownership::{Retagging, retagging};

/// What the tags say of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The version that a rollback has gone back from.
    pub(crate) rolled_back_from: Option<String>,
    /// The version on trial, and how many of a hundred requests it answers. A trial that was cut short before it began, or as it ended, is
    /// one of 0 %, until somebody ends it.
    pub(crate) canary: Option<(u64, u8)>,
}

/// The tag of a stage that was rolled back.
fn rolled_back(names: &Names) -> String {
    format!("mdo:rolled-back:{}", names.stage)
}

/// The tag of a stage that has a version on trial.
fn canary(names: &Names) -> String {
    format!("mdo:canary:{}", names.stage)
}

impl Marks {
    /// Reads the tags of a function.
    pub(super) fn of(tags: Option<&HashMap<String, String>>, names: &Names) -> Self {
        let tag = |key: String| tags.and_then(|tags| tags.get(&key));
        let share = tag(canary(names)).and_then(|value| value.split_once(':'));
        Self {
            rolled_back_from: tag(rolled_back(names)).cloned(),
            canary: share.and_then(|(version, percent)| Some((version.parse().ok()?, percent.parse().ok()?))),
        }
    }

    /// What they say once the stage has moved from one version to another: back, as long as it was not further before, or on.
    pub(super) fn moved(&self, from: Option<&str>, to: &str) -> Self {
        let number = |version: &str| version.parse::<u64>().ok();
        let went_back = from.and_then(number).zip(number(to)).is_some_and(|(from, to)| to < from);
        let before = self.clone().at(from.unwrap_or_default()).rolled_back_from;
        let from = before.or(from.map(str::to_owned)).filter(|_| went_back);
        Self { rolled_back_from: from, canary: None }
    }

    /// What holds of them at a stage that serves this version: it has gone back only from a later one. Whether it tries the version that
    /// they say, its alias tells.
    pub(crate) fn at(self, version: &str) -> Self {
        let number = |version: &str| version.parse::<u64>().ok();
        let live = number(version);
        Self { rolled_back_from: self.rolled_back_from.filter(|from| number(from) > live), ..self }
    }

    fn tags(&self, names: &Names) -> HashMap<String, String> {
        let back = self.rolled_back_from.as_ref().map(|version| (rolled_back(names), version.clone()));
        let share = self.canary.map(|(version, percent)| (canary(names), format!("{version}:{percent}")));
        back.into_iter().chain(share).collect()
    }
}

impl AwsProvider {
    /// Adds to a function's tags what they are to say of the stage, before it is so: of a run that is cut short in between they say too
    /// much, which the versions tell, and never too little.
    pub(super) async fn mark(&self, name: &FunctionName, before: &Marks, after: &Marks) -> Result<(), Error> {
        let (before, after) = (before.tags(&self.names), after.tags(&self.names));
        let new: HashMap<String, String> =
            after.into_iter().filter(|(key, value)| before.get(key) != Some(value)).collect();
        self.tag(name, new).await
    }

    /// Takes from a function's tags what is so no longer, after it has ended.
    pub(super) async fn unmark(
        &self,
        name: &FunctionName,
        before: &Marks,
        after: &Marks,
    ) -> Result<(), Error> {
        let (before, after) = (before.tags(&self.names), after.tags(&self.names));
        let gone: Vec<String> = before.keys().filter(|key| !after.contains_key(*key)).cloned().collect();
        self.untag(name, gone).await
    }

    /// Makes a function have these tags of the project's own in place of those.
    pub(super) async fn retag(&self, name: &FunctionName, live: &Tags, wanted: &Tags) -> Result<(), Error> {
        let Some(Retagging { on, off }) = retagging(live, wanted) else { return Ok(()) };
        self.tag(name, on).await?;
        self.untag(name, off).await
    }

    async fn tag(&self, name: &FunctionName, tags: HashMap<String, String>) -> Result<(), Error> {
        if tags.is_empty() {
            return Ok(());
        }
        let (aws, full) = (&self.aws, self.names.function(name));
        let arn = aws.arn("lambda", format_args!("function:{full}"))?;
        aws.call("lambda:TagResource", &full, || {
            aws.lambda.tag_resource().resource(&arn).set_tags(Some(tags.clone())).send()
        })
        .await
        .map(drop)
    }

    async fn untag(&self, name: &FunctionName, keys: Vec<String>) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let (aws, full) = (&self.aws, self.names.function(name));
        let arn = aws.arn("lambda", format_args!("function:{full}"))?;
        aws.call("lambda:UntagResource", &full, || {
            aws.lambda.untag_resource().resource(&arn).set_tag_keys(Some(keys.clone())).send()
        })
        .await
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_reads_back_and_each_stage_has_its_own() {
        let names = |stage: &str| Names {
            project: "shop".parse().expect("a name"),
            stage: stage.parse().expect("a name"),
        };
        let marks = Marks { rolled_back_from: Some("7".into()), canary: Some((8, 10)) };
        let tags = marks.tags(&names("dev"));
        assert_eq!(Marks::of(Some(&tags), &names("dev")), marks);
        assert_eq!(Marks::of(Some(&tags), &names("prod")), Marks::default());
        assert_eq!(Marks::of(None, &names("dev")), Marks::default());
    }

    #[test]
    fn who_goes_back_twice_has_gone_back_from_the_newest_and_who_goes_on_has_not_gone_back() {
        let back = |marks: &Marks, from, to| marks.moved(Some(from), to);
        let once = back(&Marks { canary: Some((8, 10)), ..Marks::default() }, "7", "6");
        assert_eq!(once, Marks { rolled_back_from: Some("7".into()), canary: None });
        assert_eq!(back(&once, "6", "4").rolled_back_from.as_deref(), Some("7"));
        assert_eq!(back(&once, "6", "10"), Marks::default());
        assert_eq!(Marks::default().moved(None, "1"), Marks::default());
        // What a run that was cut short has said too early, or not taken back.
        assert_eq!(once.clone().at("6"), once);
        assert_eq!(once.at("7"), Marks::default());
    }
}
