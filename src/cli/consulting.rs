//! What a deploy to AWS would change, for the console of `mdo dev`: the same program asked for a plan, apart from what it serves.

use std::process::Stdio;
use std::sync::Arc;

use futures::FutureExt;
use mdo_local::Planner;
use tokio::process::Command;

use super::session::Session;
use crate::output::exit_code;

/// Plans the stage that is served, as `mdo plan` does.
pub(super) fn planner(session: &Session) -> Planner {
    let (root, stage) = (session.settings.root.clone(), session.settings.stage.to_string());
    Arc::new(move || {
        let (root, stage) = (root.clone(), stage.clone());
        async move {
            let own = std::env::current_exe().map_err(|error| format!("cannot find mdo: {error}"))?;
            let mut command = Command::new(own);
            command.args(["plan", "--color", "never", "--stage", &stage]).current_dir(root);
            // A page that is closed meanwhile wants no answer.
            command.stdin(Stdio::null()).kill_on_drop(true);
            let ran = command.output().await.map_err(|error| format!("cannot plan: {error}"))?;
            let [said, complained] =
                [&ran.stdout, &ran.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            match ran.status.code() {
                Some(code) if code == i32::from(exit_code::DONE) => Ok(complained + &said),
                _ => Err(complained + &said),
            }
        }
        .boxed()
    })
}
