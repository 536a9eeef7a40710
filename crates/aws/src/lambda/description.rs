//! A version's description: the user's own text, then the stage and the source revision that mdo records with it.

use mdo_model::project::StageName;

/// The most characters that Lambda accepts.
const LIMIT: usize = 256;

const MARK: &str = "[mdo ";

/// `Samples the process [mdo dev abc1234]`. The record is left out where there is no room for it.
pub(crate) fn full(user: &str, stage: &StageName, source: Option<&str>) -> String {
    let record = match source {
        Some(source) => format!("{MARK}{stage} {source}]"),
        None => format!("{MARK}{stage}]"),
    };
    let full = if user.is_empty() { record } else { format!("{user} {record}") };
    if full.chars().count() <= LIMIT { full } else { user.to_owned() }
}

/// What mdo records with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// The stage that has published it.
    pub(crate) stage: &'a str,
    /// The source revision.
    pub(crate) source: Option<&'a str>,
}

/// What mdo has recorded in a description; `None` where it has not.
pub(crate) fn record(full: &str) -> Option<Record<'_>> {
    let record = full[full.rfind(MARK)? + MARK.len()..].strip_suffix(']')?;
    let (stage, source) = match record.split_once(' ') {
        Some((stage, source)) => (stage, Some(source)),
        None => (record, None),
    };
    Some(Record { stage, source })
}

/// The user's own text of a description.
pub(crate) fn user_part(full: &str) -> &str {
    match full.rfind(MARK) {
        Some(at) if full.ends_with(']') => full[..at].trim_end(),
        _ => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_text_comes_back_whatever_is_recorded_with_it() {
        let stage: StageName = "dev".parse().expect("a name");
        for user in ["", "Samples", "ends in ]", &"x".repeat(250)] {
            for source in [None, Some("abc1234"), Some("abc1234+changes")] {
                assert_eq!(user_part(&full(user, &stage, source)), user);
            }
        }
        assert_eq!(full("Samples", &stage, Some("abc1234")), "Samples [mdo dev abc1234]");
        assert_eq!(full("", &stage, None), "[mdo dev]");
        assert_eq!(
            record("Samples [mdo dev abc1234]"),
            Some(Record { stage: "dev", source: Some("abc1234") })
        );
        assert_eq!(record("[mdo dev]"), Some(Record { stage: "dev", source: None }));
        assert_eq!(record("[mdo dev] of old"), None);
    }
}
