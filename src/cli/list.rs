//! `mdo list`: what is live at a stage.

use clap::Parser;
use mdo_engine::Observed;
use mdo_model::project::{FunctionName, Route};
use mdo_model::stack::{ApiRoute, Server, Stack};

use super::arguments::StackArgs;
use super::foreign_policies;
use super::session::Session;
use crate::output::{self, Failure, Heading};

/// List what is live at a stage: functions, routes, warm rules, keys
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    place: StackArgs,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let session = Session::open_live(&args.place).await?;
    let observed = session.observe(&session.scope(false)).await?;
    let endpoint = session.provider.endpoint();
    let names = session.settings.names();
    let location = session.provider.location().await?;
    let held = foreign_policies::live(&session, &observed).await.unwrap_or_else(|error| {
        output::message(&format!(
            "note: cannot determine which policies the role has that mdo did not write: {error}"
        ));
        Vec::new()
    });
    if args.json {
        let held =
            held.iter().flat_map(|held| held.policies.iter().map(|policy| (held.role.as_str(), policy)));
        let document = output::ListDocument::new(&names, session.provider.as_ref(), &observed);
        output::json(&document.with_foreign_policies(held));
        return Ok(());
    }
    output::data(&Heading { names: &names, location: &location }.to_string());
    let Stack { functions, stage, keys, warm_rules, server, .. } = &observed.stack;
    // What the stages share, role and API, may be there for another one.
    if functions.is_empty() && stage.is_none() && keys.is_empty() && warm_rules.is_empty() && server.is_none()
    {
        let others = session.other_stages().await?;
        output::data(&format!("  nothing is deployed here{others}\n"));
        return Ok(());
    }
    if let Some(server) = server {
        output::data(&format!("\n{}", output::table(&[server_row(server, &observed)])));
    } else if observed.stack.functions.is_empty() {
        output::data("  no function is deployed here\n");
    } else {
        let functions = observed.stack.functions.keys().map(|name| function_row(name, &observed));
        output::data(&format!("\n{}", output::table(&functions.collect::<Vec<_>>())));
    }
    if let (Some(definition), Some(endpoint)) = (observed.stack.served(), &endpoint) {
        let route = |(route, target): (&Route, &ApiRoute)| {
            let url = format!("{endpoint}{}", route.path());
            vec![
                route.method().as_str().to_owned(),
                url,
                target.security.to_string(),
                target.function.to_string(),
            ]
        };
        output::data(&format!(
            "\n{}",
            output::table(&definition.routes.iter().map(route).collect::<Vec<_>>())
        ));
    }
    if observed.stack.stage.as_ref().is_some_and(|stage| !stage.deployed_by_mdo) {
        output::message(
            "warning: somebody else has deployed the stage since mdo did: it may serve other routes than these",
        );
    }
    let keys: Vec<&str> = observed.stack.keys.keys().map(mdo_model::project::KeyName::as_str).collect();
    if !keys.is_empty() {
        output::data(&format!("\n  keys  {}\n", keys.join(", ")));
    }
    for held in &held {
        output::message(&format!(
            "note: role {} has {}, which mdo did not write",
            held.role,
            foreign_policies::listed(held)
        ));
    }
    Ok(())
}

/// `, rolled back from 7` where a rollback has taken something back.
fn rolled_back(from: Option<impl std::fmt::Display>) -> String {
    from.map(|from| format!(", rolled back from {from}")).unwrap_or_default()
}

fn server_row(server: &Server, observed: &Observed) -> Vec<String> {
    let functions: Vec<&str> = server.functions.keys().map(FunctionName::as_str).collect();
    let digest: String = server.image.trim_start_matches("sha256:").chars().take(12).collect();
    let live = observed.server.clone().unwrap_or_default();
    let revision = live.revision.map_or_else(|| "?".to_owned(), |revision| revision.to_string());
    let rolling = if live.rolling { ", being replaced" } else { "" };
    let back = rolled_back(live.rolled_back_from);
    vec![
        format!("revision {revision}{back}"),
        format!("image {digest}"),
        output::server_size(server),
        format!("{} of {} running{rolling}", live.running, live.wanted),
        functions.join(", "),
    ]
}

fn function_row(name: &FunctionName, observed: &Observed) -> Vec<String> {
    let function = &observed.stack.functions[name];
    let live = observed.functions.get(name).cloned().unwrap_or_default();
    let back = rolled_back(live.rolled_back_from.as_ref());
    let share = function.canary.as_ref().zip(live.canary);
    let share = share.map(|(canary, tried)| format!(", {} % version {tried}", canary.percent));
    let warm = observed.stack.warm_rules.get(name).and_then(|rule| rule.rate);
    vec![
        name.to_string(),
        format!("version {}{back}{}", live.version.as_deref().unwrap_or("?"), share.unwrap_or_default()),
        format!("{} {}", function.configuration.runtime, function.configuration.architecture),
        format!("{} MB, {} s", function.configuration.memory, function.configuration.timeout),
        warm.map_or_else(|| "not kept warm".to_owned(), |rate| format!("warm {rate}")),
    ]
}
