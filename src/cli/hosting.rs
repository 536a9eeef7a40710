//! From flags to the plan of a stage that servers answer: makes the image while the provider is being read, and compares.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use mdo_engine::{Observed, Packages};
use mdo_model::hosted::Outgoing;
use mdo_model::project::{Container, Project, Settings};
use mdo_model::stack::{self, Plan, Resource, Selection, Stack};
use mdo_package::image::Image;

use super::arguments::Target;
use super::dockerfile::build_dockerfile;
use super::imaging::build_image;
use super::planning::{self, Planned};
use super::renamed::say_if_renamed;
use super::session::Session;
use crate::output::{self, Complaint, ErrorCode, Failure, Sizes, exit_code};

/// What the files ask for of a hosted stage whose containers run an image. The stage has been observed before.
pub(super) async fn desired(session: &Session, image: &str) -> Result<Stack, Failure> {
    let mut settings = Cow::Borrowed(&session.settings);
    if session.settings.server.as_ref().is_some_and(|server| !server.secrets.is_empty()) {
        // ECS wants the ARNs of what the files name.
        session.provider.location().await?;
        let site = session.provider.site();
        if let (Some(region), Some(account), Some(server)) =
            (site.region, site.account, &mut settings.to_mut().server)
        {
            for secret in server.secrets.values_mut() {
                *secret = secret.located(&region, &account);
            }
        }
    }
    Ok(stack::hosted(&settings, image).unwrap_or_default())
}

/// What a hosted stage's containers run.
pub(super) enum HostedImage {
    /// An image of the functions, or of a Dockerfile. As long as it is held, its files stay where they are.
    Made(Image),
    /// An image that exists somewhere else, by its reference with a digest.
    Elsewhere(String),
}

impl HostedImage {
    /// What the model calls it: its digest, or where it is.
    fn reference(&self) -> String {
        match self {
            Self::Made(image) => format!("sha256:{}", image.digest),
            Self::Elsewhere(reference) => reference.clone(),
        }
    }

    fn outgoing(&self) -> Option<Outgoing> {
        match self {
            Self::Made(image) => Some(image.outgoing()),
            Self::Elsewhere(_) => None,
        }
    }
}

/// Plans the way from what is live to what the files and flags ask for, where servers answer the stage.
pub(super) async fn plan(session: &Session, target: &Target) -> Result<Planned, Failure> {
    let start = Instant::now();
    check_whole(session, target)?;
    check_no_api(session, target)?;
    let scope = session.scope(target.adopt);
    let observing = session.observe(&scope);
    let making = make_image(session, target);
    let selection = Selection::All;
    let nothing = Observed::default();
    let (image, observed) =
        if planning::check_required_environment(session, target, &selection, &nothing).is_ok() {
            tokio::try_join!(making, observing)?
        } else {
            // Whether it is live and kept has to be known before a build that may take minutes.
            let observed = observing.await?;
            planning::check_required_environment(session, target, &selection, &observed)?;
            (making.await?, observed)
        };
    let names = session.settings.names();
    let desired = desired(session, &image.reference()).await?;
    let shared = planning::shared(session, &scope, &desired, &observed).await?;
    let unset = planning::unset(target, &observed);
    let plan = stack::plan(&names, desired, &observed.stack, &selection, &unset, &shared)
        .with_origins(&session.settings);
    check_size(session, &plan)?;
    planning::say_if_new(session, &observed).await?;
    say_if_renamed(session);
    output::notes(&session.settings).iter().chain(&output::moves(&plan)).for_each(|note| output::once(note));
    let outgoing = image.outgoing();
    Ok(Planned {
        plan,
        observed,
        sizes: Sizes { image: outgoing.as_ref().map(Outgoing::size), ..Sizes::default() },
        packages: Packages { image: outgoing, ..Packages::default() },
        packaged: BTreeMap::new(),
        location: session.provider.location().await?,
        took: start.elapsed(),
        image: Some(image),
    })
}

/// The functions of a hosted stage share an image: none of them goes without the others.
pub(super) fn check_whole(session: &Session, target: &Target) -> Result<(), Failure> {
    if target.functions.is_empty() {
        return Ok(());
    }
    let stage = &session.settings.stage;
    Err(Failure::with_help(
        exit_code::USAGE,
        format!("stage {stage} is hosted by servers: its functions are in one image and go together"),
        "leave the names of functions out; what has not changed is not sent again",
    ))
}

/// A load balancer has no id of an API, nor its URL.
fn check_no_api(session: &Session, target: &Target) -> Result<(), Failure> {
    let Some(id) = &target.adopt_api else { return Ok(()) };
    let stage = &session.settings.stage;
    Err(Failure::with_help(
        exit_code::USAGE,
        format!("stage {stage} is hosted by servers, which cannot take REST API {id} over"),
        "leave --adopt-api out, or name a stage that is serverless with --stage",
    ))
}

async fn make_image(session: &Session, target: &Target) -> Result<HostedImage, Failure> {
    let container = session.settings.server.as_ref().map(|server| &server.container);
    if let Some(Container::Image { reference, .. }) = container {
        return Ok(HostedImage::Elsewhere(reference.clone()));
    }
    let server = target.server_program.as_deref();
    Ok(HostedImage::Made(any_image(&session.project, &session.settings, server).await?))
}

/// The image of a stage that mdo has to bring: the functions', or what a Dockerfile builds.
pub(super) async fn any_image(
    project: &Project,
    settings: &Settings,
    server: Option<&Path>,
) -> Result<Image, Failure> {
    match settings.server.as_ref().map(|server| &server.container) {
        Some(Container::Dockerfile { file, .. }) => {
            let configurations = settings.functions.values().map(|function| &function.configuration);
            let architecture = configurations.map(|one| one.architecture).next().unwrap_or_default();
            build_dockerfile(settings, file, architecture).await
        }
        _ => build_image(project, settings, server).await,
    }
}

/// Checks that what the stage adds to its image fits into a task definition, with what is live and kept.
pub(super) fn check_size(session: &Session, plan: &Plan) -> Result<(), Failure> {
    let stage = &session.settings.stage;
    for change in &plan.changes {
        if let Some(Resource::Server(server)) = &change.after
            && let Err(error) = server.check_size(stage)
        {
            let complaint = Complaint::new(ErrorCode::Configuration, error).on(change.id.to_string());
            return Err(Failure { complaints: vec![complaint], code: exit_code::USAGE });
        }
    }
    Ok(())
}
