//! A version's description: the user's own text, then the stage and the source revision that mdo records with it.

use mdo_engine::Origin;
use mdo_model::project::StageName;

/// The most characters that Lambda accepts.
const LIMIT: usize = 256;

const MARK: &str = "[mdo ";

/// `Samples the process [mdo dev abc1234 by alice in 6928d0a1-4d1c]`. The record is left out where there is no room for it.
pub(crate) fn full(user: &str, stage: &StageName, origin: &Origin) -> String {
    let source = origin.source.as_ref().map(|source| format!(" {source}")).unwrap_or_default();
    let deployer = origin.deployer.as_ref().map(|deployer| format!(" by {deployer}")).unwrap_or_default();
    let run = if origin.run.is_empty() { String::new() } else { format!(" in {}", origin.run) };
    let record = format!("{MARK}{stage}{source}{deployer}{run}]");
    let full = if user.is_empty() { record } else { format!("{user} {record}") };
    if full.chars().count() <= LIMIT { full } else { user.to_owned() }
}

/// What mdo records with a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// The stage that has published it.
    pub(crate) stage: &'a str,
    /// The source revision.
    pub(crate) source: Option<&'a str>,
    /// Who deployed it.
    pub(crate) deployer: Option<&'a str>,
    /// What the versions of one deploy have in common.
    pub(crate) run: Option<&'a str>,
}

/// What mdo has recorded in a description; `None` where it has not.
pub(crate) fn record(full: &str) -> Option<Record<'_>> {
    let mut words = full[full.rfind(MARK)? + MARK.len()..].strip_suffix(']')?.split(' ');
    let mut record = Record { stage: words.next()?, ..Record::default() };
    while let Some(word) = words.next() {
        match word {
            "by" => record.deployer = words.next(),
            "in" => record.run = words.next(),
            source => record.source = Some(source),
        }
    }
    Some(record)
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
        let origin = |source: Option<&str>, deployer: Option<&str>, run: &str| Origin {
            source: source.map(str::to_owned),
            deployer: deployer.map(str::to_owned),
            run: run.to_owned(),
        };
        let origins = [
            origin(None, None, ""),
            origin(Some("abc1234-dirty"), None, ""),
            origin(Some("abc1234"), Some("alice"), "6928-4d"),
        ];
        for user in ["", "Samples", "ends in ]", &"x".repeat(250)] {
            for origin in &origins {
                let full = full(user, &stage, origin);
                assert_eq!(user_part(&full), user);
                if let Some(record) = record(&full) {
                    assert_eq!(record.stage, "dev");
                    assert_eq!(record.source, origin.source.as_deref());
                    assert_eq!(record.deployer, origin.deployer.as_deref());
                    assert_eq!(record.run.unwrap_or_default(), origin.run);
                }
            }
        }
        let whole = full("Samples", &stage, &origins[2]);
        assert_eq!(whole, "Samples [mdo dev abc1234 by alice in 6928-4d]");
        assert_eq!(full("", &stage, &origins[0]), "[mdo dev]");
        assert_eq!(record("[mdo dev] of old"), None);
    }
}
