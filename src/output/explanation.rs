//! What each error code means at length, and the way out: what `mdo explain` prints. A new code is not compiled without it.

use clap::ValueEnum;

use super::failure::ErrorCode;

/// The most letters of a line.
const WIDTH: usize = 90;

impl ErrorCode {
    /// The word that `--json` has for it.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What it means, in a sentence.
    pub(crate) fn summary(self) -> String {
        let value = self.to_possible_value();
        let help = value.and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    /// All of it as lines of text, with a newline at the end.
    pub(crate) fn explained(self) -> String {
        let (reasons, way_out) = self.explanation();
        format!("{}: {}.\n\n{}\n{}", self.word(), self.summary(), wrapped(reasons), wrapped(way_out))
    }

    /// What leads to it, and what to do.
    pub(super) fn explanation(self) -> (&'static str, &'static str) {
        match self {
            Self::Usage => (
                "A flag or a command is misspelt, two flags contradict each other, or what is asked for does not fit: a function that \
                 the project does not have, a stage that is protected, a question that nobody was there to answer. Nothing was changed.",
                "The message names the word. `mdo help COMMAND` shows every flag; where a question needs an answer in a script, the \
                 help line names the flag that gives it.",
            ),
            Self::Configuration => (
                "project.toml, a function.json, a lock or an environment file has a key that mdo does not know, a value of another \
                 type or out of its bounds, or things that do not go together. Nothing was changed.",
                "The message names file, line and column. `mdo check` shows everything that is wrong at once, and `mdo schema project \
                 --markdown` and `mdo schema function --markdown` describe every key.",
            ),
            Self::Package => (
                "A folder cannot be made into what Lambda runs: its program or module is missing or built for another processor, a \
                 build hook failed, or it is larger than Lambda takes. Nothing was changed.",
                "The message names the function or derivative. `mdo check` packages all of them without network and credentials.",
            ),
            Self::Expired => (
                "AWS knows the credentials, and their time is over: a session of single sign-on, or of a role.",
                "Log in again, `aws sso login` for instance, and run the same command: it goes on where it stopped.",
            ),
            Self::Credentials => (
                "mdo found no credentials, AWS does not accept them, or they are of another account than project.toml names.",
                "Set AWS_PROFILE or pass --profile, or take the role in a pipeline before mdo runs. `mdo doctor` says which \
                 credentials are found and whose they are; `--local` needs none.",
            ),
            Self::Denied => (
                "AWS knows who asks, and does not allow the call: a policy of the role or user lacks the action, or a policy of the \
                 organisation or a permission boundary forbids it.",
                "The message names the action and the resource; add it to the policy of who deploys. `mdo doctor` tries what a plan \
                 reads.",
            ),
            Self::RoleNotReady => (
                "A role that was made a moment ago is not known everywhere at AWS yet. mdo waits for it up to a minute before it \
                 gives up.",
                "Run the same command again: everything that was made stays.",
            ),
            Self::Busy => (
                "The resource is still at work on an earlier change, or something uses it.",
                "Wait a moment and run the same command again: it goes on where it stopped.",
            ),
            Self::Exists => (
                "Something of this name was there before, or came to be at the same time, from another run perhaps.",
                "Run the same command again, which looks anew at what is there. What mdo did not make it takes over with --adopt alone.",
            ),
            Self::NotFound => (
                "A function, version, key or stage of this name is not there: never deployed, deleted by somebody, or in another \
                 region or account.",
                "`mdo list` shows what the stage has, and the line above it the account and region that were asked. A deploy makes \
                 what is missing.",
            ),
            Self::Conflict => (
                "Somebody else, a second pipeline perhaps, changed the same resource between mdo's look at it and its change. mdo does \
                 not go over what it has not seen.",
                "Run the same command again: it plans anew from what is live. Let no two pipelines deploy a stage at once.",
            ),
            Self::Throttled => (
                "AWS refused calls because there were too many of them, from this run or from others of the account, and went on \
                 refusing them although mdo slowed down.",
                "Run the same command again later: what was done stays. `--concurrency` of a deploy makes fewer calls at once.",
            ),
            Self::Capped => (
                "A limit that is the user's own stands in the way, such as a reserved concurrency of zero, which lets a function \
                 answer nothing.",
                "The message names the limit: change it in the function's settings, or in the console where it was set there.",
            ),
            Self::Unreachable => (
                "No answer came: no network, a proxy or a firewall in between, a region that does not exist, or an endpoint in \
                 AWS_ENDPOINT_URL where nobody listens.",
                "Look at the network, the region and AWS_ENDPOINT_URL, and run the same command again. `-v` shows each call and its time.",
            ),
            Self::Invalid => (
                "The provider does not accept a value, though mdo had nothing against it.",
                "The message has the provider's own words for what it does not like; change that in the files or flags.",
            ),
            Self::NotOurs => (
                "Something has the name that mdo would give to a resource, and not the tag that says that mdo made it for this \
                 project. mdo does not touch it.",
                "Choose another name for the project, or take it over with --adopt, if it is yours to change.",
            ),
            Self::Skipped => (
                "It was not tried, because something that it needs failed before.",
                "Look at the error of what failed. Once that is well, the same command does the rest.",
            ),
            Self::Interrupted => (
                "Somebody pressed Ctrl-C, or ended the process. Calls that had begun were finished, and no others were made.",
                "Run the same command again: it goes on where it stopped.",
            ),
            Self::PartlyApplied => (
                "Some changes were made before something failed or stopped. What depends on what failed was left alone, so that what \
                 is live still fits together.",
                "The table says what became of each change. Once the reason is gone, the same command makes the others. After an alarm \
                 aborted a trial, what was live before answers all requests: the message says which alarm, since when and why.",
            ),
            Self::Failed => (
                "Something went wrong for which mdo has no kind of its own, on this machine or at the provider.",
                "The message says what. `-v` shows each call, and `--log-file FILE` writes them down without secrets.",
            ),
        }
    }
}

/// A text in lines of at most [`WIDTH`] letters, each with two blanks before it.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::from(" ")];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("  {word}")),
        }
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_json() {
        for code in ErrorCode::value_variants() {
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
            assert!(!code.summary().is_empty());
        }
    }
}
