//! Plans and results as people read them: plain words, aligned columns, colour only where it carries meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use mdo_engine::apply::Report;
use mdo_engine::{Applied, Finished, Outcome};
use mdo_model::project::{DerivativeId, FunctionName, Names, Quota, StageName, Throttle};
use mdo_model::stack::{Action, Change, Freed, Kept, KeptKind, Kind, Plan, Resource, ResourceId, Summary};
use mdo_package::Bytes;

use super::failure::render;
use super::fields;
use super::hosted;
use super::text::{count, seconds};
use super::thousands;

/// How large the new things of a plan are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    /// The functions' zips, in bytes.
    pub functions: BTreeMap<FunctionName, u64>,
    /// The derivatives that were built.
    pub derivatives: BTreeMap<DerivativeId, DerivativeSize>,
    /// The image of a hosted stage, in bytes.
    pub image: Option<u64>,
}

/// A derivative as people want to know it.
#[derive(Clone, Debug)]
pub(crate) struct DerivativeSize {
    /// Its packages with their versions.
    pub packages: BTreeMap<String, String>,
    /// The same of what is live, where that is known.
    pub packages_before: Option<BTreeMap<String, String>>,
    /// Its files, in bytes.
    pub unzipped: u64,
    /// Its zips, in bytes.
    pub zips: Vec<u64>,
}

/// What stands above a plan: `ml_api · dev · 123456789012 · us-east-1`.
pub(crate) struct Heading<'a> {
    /// Project and stage.
    pub names: &'a Names,
    /// Where the stack lives.
    pub location: &'a str,
}

impl std::fmt::Display for Heading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} · {} · {}", self.names.project, self.names.stage, self.location)
    }
}

/// A plan with its heading, one line per resource and one per field that changes.
///
/// `sizes` are told of what is new.
pub(crate) fn plan(heading: &Heading<'_>, plan: &Plan, sizes: &Sizes) -> String {
    let mut text = heading.to_string();
    text.push('\n');
    let name = |change: &Change| display_name(change, &plan.names);
    let mut changes: Vec<&Change> = plan.changes.iter().collect();
    changes.sort_by_key(|change| &change.id);
    let width = name_width(changes.iter().map(|change| name(change)));
    let kinds = kind_width(changes.iter().map(|change| &change.id));
    let indent = kinds + "  + ".len() + "  ".len();
    for change in changes {
        let (sign, style) = sign(change.action);
        let detail = match change.action {
            Action::Create => created(change, plan, sizes),
            Action::Delete if change.lives_on => "at this stage; others keep it".to_owned(),
            Action::Update if change.id.kind == Kind::Derivative => derivative(change, sizes),
            Action::Delete => deleted(change),
            Action::Update => String::new(),
        };
        let line = format!("{:<kinds$}  {:<width$}  {detail}", change.id.kind, name(change));
        let _ = writeln!(text, "  {style}{sign}{style:#} {}", line.trim_end());
        let fields = match change.id.kind {
            Kind::Derivative => versions(change, sizes),
            _ => fields::lines(change, plan),
        };
        for field in fields {
            let _ = writeln!(text, "{:indent$}{field}", "");
        }
    }
    let (freed, kept) = (freed_suffix(plan.freed()), kept_suffix(&plan.kept));
    let _ = writeln!(text, "\n  {}{freed}{kept}", summary(plan.summary()));
    text
}

/// A plan as Markdown: a heading, the summary, and the lines as a difference, which many pages colour.
pub(crate) fn markdown(heading: &Heading<'_>, whole: &Plan, sizes: &Sizes) -> String {
    let heading_text = heading.to_string();
    let title = heading_text.trim();
    if whole.is_empty() {
        return format!("#### mdo: {title}\n\nNothing to do.\n");
    }
    let text = anstream::adapter::strip_str(&plan(heading, whole, sizes)).to_string();
    let lines = text.lines().skip(1).filter(|line| !line.is_empty());
    let mut lines: Vec<&str> = lines.collect();
    let summary = lines.pop().unwrap_or_default().trim();
    let mut shown = String::new();
    for line in lines {
        let line = line.strip_prefix("  ").unwrap_or(line);
        let line = line.strip_prefix('~').map_or_else(|| line.to_owned(), |rest| format!("!{rest}"));
        let _ = writeln!(shown, "{line}");
    }
    format!("#### mdo: {title}\n\n{summary}\n\n~~~~diff\n{shown}~~~~\n")
}

/// A line that says how long a plan takes at least, where that is worth knowing.
pub(crate) fn floor(floor: Duration) -> String {
    const WORTH_SAYING: Duration = Duration::from_secs(3);
    match floor > WORTH_SAYING {
        true => format!("  takes at least {} s, by the provider's quotas\n", floor.as_secs_f64().ceil()),
        false => String::new(),
    }
}

/// What is said when a plan has no changes.
pub(crate) fn nothing_to_do(heading: &Heading<'_>, plan: &Plan, took: Duration, calls: usize) -> String {
    let calls = if calls == 0 { String::new() } else { format!(" with {}", count(calls, "call")) };
    format!(
        "{}  nothing to do (checked {} in {}{calls}){}\n",
        heading,
        count(plan.checked, "resource"),
        seconds(took),
        kept_suffix(&plan.kept)
    )
}

/// What came of each change: one line when all went well, a table and the errors otherwise.
///
/// `again` is the command that finishes what was interrupted.
pub(crate) fn report(plan: &Plan, report: &Report, again: &str) -> String {
    if report.is_complete() {
        let parts = if report.finished.len() > LISTED_ONE_BY_ONE {
            by_kind(report)
        } else {
            report.finished.iter().map(done).collect()
        };
        return format!("  {}\n", parts.join(" · "));
    }
    let mut text = String::new();
    let name = |finished: &Finished| finished.id.full_name(&plan.names);
    let width = name_width(report.finished.iter().map(name));
    let kinds = kind_width(report.finished.iter().map(|finished| &finished.id));
    for finished in &report.finished {
        let begun = if finished.begun { "partly done, then " } else { "" };
        let outcome = match &finished.outcome {
            Outcome::Done(_) => format!("done in {}", seconds(finished.took)),
            Outcome::Skipped(needed) => format!("{begun}skipped, it needs {needed}"),
            Outcome::Failed(_) => format!("{begun}failed"),
            Outcome::Interrupted => format!("{begun}interrupted"),
        };
        let _ = writeln!(text, "  {:<kinds$}  {:<width$}  {outcome}", finished.id.kind, name(finished));
    }
    for (message, help) in failures(report) {
        let _ = writeln!(text, "{}", render("error", &message, help));
    }
    if report.finished.iter().any(|finished| matches!(finished.outcome, Outcome::Interrupted)) {
        let _ = writeln!(text, "  run {again} again to finish");
    }
    text
}

/// Why each change that failed did, and what to do about it.
pub(super) fn failures(report: &Report) -> impl Iterator<Item = (String, Option<&str>)> {
    report.finished.iter().filter_map(|finished| {
        let Outcome::Failed(error) = &finished.outcome else { return None };
        let again =
            || error.cause.is_conflict().then_some("run the command again: it picks up where it stopped");
        Some((format!("{}: {error}", finished.id), error.help.as_deref().or_else(again)))
    })
}

/// How many changes are told one by one when all went well.
const LISTED_ONE_BY_ONE: usize = 12;

/// `100 functions 3.2 s`, with the time of the slowest.
fn by_kind(report: &Report) -> Vec<String> {
    let mut kinds: BTreeMap<Kind, (usize, Duration)> = BTreeMap::new();
    for finished in &report.finished {
        let (count, slowest) = kinds.entry(finished.id.kind).or_default();
        (*count, *slowest) = (*count + 1, finished.took.max(*slowest));
    }
    let part = |(kind, (number, slowest)): (Kind, (usize, Duration))| {
        format!("{} {}", count(number, &kind.to_string()), seconds(slowest))
    };
    kinds.into_iter().map(part).collect()
}

/// The closing line of a run: `Deployed in 0.6 s with 17 calls.`
pub(crate) fn deployed(verb: &str, took: Duration, calls: usize) -> String {
    let calls = if calls == 0 { String::new() } else { format!(" with {}", count(calls, "call")) };
    format!("{verb} in {}{calls}.\n", seconds(took))
}

/// What people should know of a run, one line each.
pub(crate) fn warnings(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for finished in &report.finished {
        if let Outcome::Done(Applied { warnings, .. }) = &finished.outcome {
            lines.extend(warnings.iter().map(|warning| format!("warning: {}: {warning}", finished.id)));
        }
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines
}

fn done(finished: &Finished) -> String {
    let version = match &finished.outcome {
        Outcome::Done(Applied { version: Some(version), .. }) => format!(" (version {version})"),
        _ => String::new(),
    };
    let name = match finished.id.kind {
        Kind::Function
        | Kind::LogGroup
        | Kind::WarmRule
        | Kind::Key
        | Kind::Derivative
        | Kind::LayerVersion
        | Kind::FunctionVersion
        | Kind::Deployment
        | Kind::Revision => {
            format!("{} {}", finished.id.kind, finished.id.name)
        }
        kind => kind.to_string(),
    };
    format!("{name} {}{version}", seconds(finished.took))
}

fn sign(action: Action) -> (char, Style) {
    let (sign, colour) = match action {
        Action::Create => ('+', AnsiColor::Green),
        Action::Update => ('~', AnsiColor::Yellow),
        Action::Delete => ('-', AnsiColor::Red),
    };
    (sign, Style::new().fg_color(Some(colour.into())))
}

/// How wide the column of kinds is: `log group`, which nearly every stack has, or wider.
fn kind_width<'a>(ids: impl Iterator<Item = &'a ResourceId>) -> usize {
    ids.map(|id| id.kind.to_string().len()).fold("log group".len(), usize::max)
}

/// The most characters that the column of names is wide: a digest or an address is longer, and reaches beyond it.
const WIDEST_NAME: usize = 60;

/// How wide the column of names is.
fn name_width(names: impl Iterator<Item = String>) -> usize {
    names.map(|name| name.chars().count()).filter(|width| *width <= WIDEST_NAME).max().unwrap_or(0)
}

fn display_name(change: &Change, names: &Names) -> String {
    match (change.id.kind, change.id.name.parse::<FunctionName>()) {
        (Kind::WarmRule, Ok(function)) => names.function(&function),
        _ => change.id.full_name(names),
    }
}

/// What a new resource is, in a few words.
fn created(change: &Change, plan: &Plan, sizes: &Sizes) -> String {
    match &change.after {
        Some(Resource::Function(function)) => {
            let size = change.id.name.parse().ok().and_then(|name: FunctionName| sizes.functions.get(&name));
            let size = size.map(|size| format!(", {}", Bytes(*size))).unwrap_or_default();
            format!(
                "{} {}, {} MB, {} s{size}",
                function.configuration.runtime,
                function.configuration.architecture,
                function.configuration.memory,
                function.configuration.timeout
            )
        }
        Some(Resource::Role(role)) => {
            role.boundary.as_ref().map(|arn| format!("bounded by {arn}")).unwrap_or_default()
        }
        Some(Resource::Derivative(_)) => derivative(change, sizes),
        Some(Resource::LogGroup(group)) => match group.retention_days {
            Some(1) => "1 day".to_owned(),
            Some(days) => format!("{days} days"),
            None => "for ever".to_owned(),
        },
        Some(Resource::Api(_)) => routes_to_be(plan),
        Some(Resource::Stage(stage)) => {
            let limits = usage_plan(stage.throttle, stage.quota);
            let is_new_api = plan.changes.iter().any(|change| change.id.kind == Kind::Api);
            if is_new_api { limits } else { format!("{}; {limits}", routes_to_be(plan)) }
        }
        Some(Resource::LoadBalancer(load_balancer)) => hosted::load_balancer(load_balancer),
        Some(Resource::Server(server)) => {
            let limits = usage_plan(server.throttle, None);
            let limits = if limits.is_empty() { limits } else { format!("; {limits}") };
            let image = sizes.image.map(|size| format!("; image {}", Bytes(size))).unwrap_or_default();
            format!("{}{limits}{image}", hosted::server(server))
        }
        Some(Resource::WarmRule(rule)) => match (rule.rate, rule.concurrency) {
            (Some(rate), 0 | 1) => rate.to_string(),
            (Some(rate), concurrency) => format!("{rate}, {concurrency} at once"),
            (None, _) => String::new(),
        },
        _ => String::new(),
    }
}

/// `python3.13 x86_64, 7 packages, 216.6 MB, 71.3 MB zipped`, and of how many layers, where there are several.
fn derivative(change: &Change, sizes: &Sizes) -> String {
    let Ok(id) = change.id.name.parse::<DerivativeId>() else { return String::new() };
    let mut text = format!("{} {}", id.runtime, id.architecture);
    if let Some(size) = sizes.derivatives.get(&id) {
        let packages = count(size.packages.len(), "package");
        let _ = write!(text, ", {packages}, {}", Bytes(size.unzipped));
        if !size.zips.is_empty() {
            let _ = write!(text, ", {} zipped", Bytes(size.zips.iter().sum()));
        }
        if size.zips.len() > 1 {
            let _ = write!(text, " in {} layers", size.zips.len());
        }
    }
    text
}

/// `scikit-learn  1.9.0 → 1.9.1` for each package that is another now, as far as it is known what was there before.
fn versions(change: &Change, sizes: &Sizes) -> Vec<String> {
    let size = change.id.name.parse().ok().and_then(|id: DerivativeId| sizes.derivatives.get(&id));
    let Some((size, before)) = size.and_then(|size| Some((size, size.packages_before.as_ref()?))) else {
        return Vec::new();
    };
    let names: BTreeSet<&String> = before.keys().chain(size.packages.keys()).collect();
    let line = |name: &String| match (before.get(name), size.packages.get(name)) {
        (Some(before), Some(after)) => (before != after).then(|| format!("{name}  {before} → {after}")),
        (None, Some(after)) => Some(format!("+ {name}  {after}")),
        (Some(before), None) => Some(format!("- {name}  {before}")),
        (None, None) => None,
    };
    names.into_iter().filter_map(line).collect()
}

/// The routes that the stage of a plan is to serve.
fn routes_to_be(plan: &Plan) -> String {
    let stage = plan.changes.iter().find_map(|change| match &change.after {
        Some(Resource::Stage(stage)) => Some(stage),
        _ => None,
    });
    let routes = stage.into_iter().flat_map(|stage| &stage.definition.routes);
    routes.map(|(route, target)| format!("{route} ({})", target.security)).collect::<Vec<_>>().join(", ")
}

fn usage_plan(throttle: Option<Throttle>, quota: Option<Quota>) -> String {
    let throttle = throttle.map(|limit| format!("{} requests/s, burst {}", limit.rate, limit.burst));
    let quota = quota.map(|quota| format!("{} a {}", thousands(quota.limit.into()), quota.period));
    throttle.into_iter().chain(quota).collect::<Vec<_>>().join(", ")
}

fn summary(summary: Summary) -> String {
    let Summary { create, update, delete } = summary;
    let part = |count: usize, verb: &str| (count > 0).then(|| format!("{count} to {verb}"));
    let parts = [part(create, "create"), part(update, "update"), part(delete, "delete")];
    let none = [(create, "create"), (update, "update"), (delete, "delete")];
    let none: Vec<&str> = none.iter().filter(|(count, _)| *count == 0).map(|(_, verb)| *verb).collect();
    let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !none.is_empty() {
        let _ = write!(text, ", nothing to {}", none.join(" or "));
    }
    text
}

/// What goes, where it is a version or a deployment: `71.3 MB zipped, 216.6 MB unzipped, of 2026-11-20`.
fn deleted(change: &Change) -> String {
    let size = |bytes: Option<u64>, how: &str| bytes.map(|bytes| format!("{} {how}", Bytes(bytes)));
    let day = |at: &Option<String>| {
        let day = at.as_deref().and_then(|at| at.get(.."2026-11-20".len()));
        day.map(|day| format!("of {day}"))
    };
    let stage = |stage: &StageName| Some(format!("of stage {stage}"));
    let parts = match &change.before {
        Some(Resource::LayerVersion(version)) => {
            [size(version.zipped, "zipped"), size(version.unzipped, "unzipped"), day(&version.published)]
        }
        Some(Resource::FunctionVersion(version)) => {
            [size(version.zipped, "zipped"), version.stage.as_ref().and_then(stage), day(&version.published)]
        }
        Some(Resource::Deployment(deployment)) => [stage(&deployment.stage), day(&deployment.created), None],
        Some(Resource::Revision(revision)) => [day(&revision.registered), None, None],
        Some(Resource::Image(image)) => {
            [image.bytes.map(|bytes| Bytes(bytes).to_string()), day(&image.pushed), None]
        }
        Some(Resource::Artifact(artifact)) => {
            [artifact.bytes.map(|bytes| Bytes(bytes).to_string()), day(&artifact.uploaded), None]
        }
        _ => return String::new(),
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `; frees 213.9 MB`, or at least so much where not all of it is known.
fn freed_suffix(freed: Option<Freed>) -> String {
    match freed {
        Some(Freed { bytes, is_all: true }) => format!("; frees {}", Bytes(bytes)),
        Some(Freed { bytes, is_all: false }) => format!("; frees at least {}", Bytes(bytes)),
        None => String::new(),
    }
}

fn kept_suffix(kept: &[Kept]) -> String {
    let of_kind = |kinds: &[KeptKind]| -> Vec<String> {
        let name = |kept: &Kept| match kept.kind {
            KeptKind::Variable => kept.name.clone(),
            KeptKind::Key | KeptKind::DisabledKey => format!("key {}", kept.name),
        };
        let names: BTreeSet<String> =
            kept.iter().filter(|kept| kinds.contains(&kept.kind)).map(name).collect();
        names.into_iter().collect()
    };
    let mut text = String::new();
    let unset = of_kind(&[KeptKind::Variable, KeptKind::Key]);
    if !unset.is_empty() {
        let files = if unset.len() == 1 { "no file sets" } else { "files do not set" };
        let _ = write!(text, "; kept {}, which {files}", unset.join(", "));
    }
    let disabled = of_kind(&[KeptKind::DisabledKey]);
    if !disabled.is_empty() {
        let _ = write!(text, "; left {} switched off", disabled.join(", "));
    }
    text
}
