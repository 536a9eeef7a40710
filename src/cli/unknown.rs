//! What people type that mdo does not have, and what does it.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Words of other tools, and what is the same here.
const VERBS: [(&[&str], &str); 13] = [
    (
        &["remove", "rm", "delete", "down", "undeploy", "teardown", "remove-all"],
        "`mdo destroy` removes a stage",
    ),
    (&["version"], "`mdo --version` prints the version"),
    (&["new", "create", "generate", "new-project"], "`mdo init` starts a project"),
    (&["serve", "start", "local", "offline", "watch", "run"], "`mdo dev` runs the stack on this machine"),
    (&["diff", "preview", "synth"], "`mdo plan` shows what a deploy would change"),
    (&["package", "validate", "lint"], "`mdo check` validates the files and packages the functions"),
    (&["completion", "autocomplete"], "`mdo completions SHELL` prints what the shell runs"),
    (&["versions", "releases", "deployments"], "`mdo history` shows what was deployed before"),
    (&["up", "apply", "push", "update", "publish", "release"], "`mdo deploy` creates or updates everything"),
    (&["info", "ls", "status", "url", "show", "describe"], "`mdo list` shows what is live at a stage"),
    (&["test", "call", "exec"], "`mdo invoke FUNCTION` runs one event"),
    (&["log", "tail"], "`mdo logs` shows what functions have logged, and `mdo logs --follow` what they log"),
    (&["undo", "revert"], "`mdo rollback` goes back to what a stage ran before"),
];

/// What to do instead, where what was typed is known from elsewhere.
pub(super) fn advice(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let argument = text(ContextKind::InvalidArg);
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let verb = text(ContextKind::InvalidSubcommand);
            VERBS.iter().find(|(words, _)| words.contains(&verb)).map(|(_, advice)| (*advice).to_owned())
        }
        ErrorKind::UnknownArgument if usage.contains("mdo dev") && argument == "--local" => {
            Some("`mdo dev` always serves this machine: leave --local out".to_owned())
        }
        ErrorKind::UnknownArgument if usage.contains("mdo init") && !argument.starts_with('-') => {
            Some(format!("pass the project's name as --name {argument}"))
        }
        _ => None,
    }
}
