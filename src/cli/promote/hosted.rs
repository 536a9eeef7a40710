//! The image of a hosted stage for another one.

use std::time::Instant;

use mdo_engine::{Observed, Packages};
use mdo_model::project::Container;
use mdo_model::stack::{self, Plan, Selection, Server};

use super::{Args, carry_out, check_place};
use crate::cli::applying::Execution;
use crate::cli::arguments::Target;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::Session;
use crate::cli::{hosting, planning};
use crate::output::{Failure, exit_code};

/// Gives a hosted stage the image that another one runs.
pub(super) async fn run(
    args: &Args,
    (source, session): (&Session, &Session),
    target: &Target,
    times: (Instant, &Interrupt),
) -> Result<(), Failure> {
    hosting::check_whole(session, target)?;
    let from = source.observe(&source.scope(false)).await?;
    check_place(source, session).await?;
    let image = image(source, session, &from)?;
    let scope = session.scope(false);
    let observed = session.observe(&scope).await?;
    planning::check_required_environment(session, target, &Selection::All, &observed)?;
    let plan = plan(session, target, image, &observed).await?;
    hosting::check_size(session, &plan)?;
    let location = session.provider.location().await?;
    let packages = Packages::default();
    let execution = Execution::of(session, &plan, &packages, &location);
    carry_out(args, "image", (session, &observed), &execution, times).await
}

/// The way to the image, with everything else as the files say of the stage; but what is in the image comes with it.
async fn plan(
    session: &Session,
    target: &Target,
    image: &Server,
    observed: &Observed,
) -> Result<Plan, Failure> {
    let mut desired = hosting::desired(session, &image.image).await?;
    if let Some(server) = &mut desired.server {
        server.architecture = image.architecture;
        server.definition = image.definition.clone();
    }
    let shared = planning::shared(session, &session.scope(false), &desired, observed).await?;
    let unset = planning::unset(target, observed);
    let names = session.settings.names();
    let plan = stack::plan(&names, desired, &observed.stack, &Selection::All, &unset, &shared);
    Ok(plan.with_origins(&session.settings))
}

/// What the source runs.
fn image<'a>(source: &Session, session: &Session, from: &'a Observed) -> Result<&'a Server, Failure> {
    let stage = &session.settings.stage;
    let container = session.settings.server.as_ref().map(|server| &server.container);
    if let Some(Container::Image { reference, .. }) = container {
        let message = format!("stage {stage} runs the image that project.toml names: {reference}");
        let help = format!("name the other image there, and deploy it: mdo deploy{}", session.flags());
        return Err(Failure::with_help(exit_code::USAGE, message, help));
    }
    let (stage, flags) = (&source.settings.stage, source.flags());
    let server = from.stack.server.as_ref().ok_or_else(|| {
        let message = format!("nothing is deployed at stage {stage}");
        Failure::with_help(exit_code::FAILED, message, format!("mdo deploy{flags}"))
    })?;
    if server.image == Server::EDITED {
        let message = format!(
            "somebody has edited what stage {stage} runs by hand, and mdo cannot tell what else it needs"
        );
        let help = format!("bring it to what the files say first: mdo deploy{flags}");
        return Err(Failure::with_help(exit_code::FAILED, message, help));
    }
    // Whether its tasks come up is not known yet, and ECS takes it back where they do not.
    if from.server.as_ref().is_some_and(|live| live.rolling) {
        let message = format!(
            "the tasks of stage {stage} are being replaced: whether the new ones serve is not known yet"
        );
        let help =
            format!("run the command again when `mdo list{flags}` does not say \"being replaced\" any more");
        return Err(Failure::with_help(exit_code::FAILED, message, help));
    }
    Ok(server)
}
