//! `mdo policy`: what IAM has to allow for the project, and who may assume the role of a pipeline. Asks nothing of AWS.

mod repository;

use std::collections::BTreeSet;

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_aws::policy::{ANY, Document, LIMIT, Part, Place, Scope, Subject, trust};
use mdo_model::project::{AccountId, Overrides, Project, Settings, StageName};
use mdo_model::thousands;
use serde_json::Value;

use self::repository::{BranchPattern, EnvironmentName, Repository};
use super::{names, session, typed};
use crate::output::{self, Failure, PartPolicy, PolicyDocument, PolicyPart, exit_code};

/// Print the least-privilege IAM policy for what the project does, or the trust policy of a pipeline's role
///
/// The policy follows the kinds of resources that the files ask for: a further function, route, key or warm rule needs no other
/// policy; servers, a bucket, derivatives, a network or a role of one's own do. Nothing is asked of AWS, and no credentials are
/// needed. Where project.toml names no account or region, `*` stands for it.
///
/// Without a flag the policy is for every verb. A deploy of files that no longer ask for a function, an API, a role or permissions removes it
/// where the destroyer's policy is there as well.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo policy --deployer > policy.json
  mdo policy --operator --stage prod --account 123456789012
  mdo policy --ci github:ada/ml_api > trust.json
  mdo policy --ci github:ada/ml_api --branch 'release/*' --environment prod")]
pub(super) struct Args {
    /// What deploy, plan, rollback, promote, canary, warm, key and derivative push need
    #[arg(long)]
    deployer: bool,
    /// What plan, list, status, logs, history, invoke, key show and doctor need
    #[arg(long)]
    operator: bool,
    /// What destroy and prune need
    #[arg(long)]
    destroyer: bool,
    /// The trust policy of a role that a pipeline assumes without a secret, as github:OWNER/REPO
    #[arg(long, value_name = "github:OWNER/REPO", conflicts_with_all = ["deployer", "operator", "destroyer"])]
    ci: Option<Repository>,
    /// With --ci: a branch whose runs are let in, or a glob; may be repeated [default: main]
    #[arg(long, value_name = "BRANCH", requires = "ci")]
    branch: Vec<BranchPattern>,
    /// With --ci: an environment of GitHub whose jobs are let in; may be repeated
    #[arg(long, value_name = "NAME", requires = "ci")]
    environment: Vec<EnvironmentName>,
    /// With --ci: let the runs on pull requests in
    #[arg(long, requires = "ci")]
    pull_requests: bool,
    /// The only stages; may be repeated [default: any stage of the project]
    #[arg(long, value_name = "STAGE", add = ArgValueCandidates::new(names::stages))]
    stage: Vec<StageName>,
    /// The account [default: project.toml]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    /// The AWS region [default: project.toml, else AWS_REGION]
    #[arg(long)]
    region: Option<String>,
    /// Print one JSON document with a policy for each part instead
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let project = session::load()?;
    let stages = stages(&project, args)?;
    let places = places(&stages, args);
    let trusted = args.ci.as_ref().map(|repository| trust_policy(repository, &places, args)).transpose()?;
    let is_any = args.stage.is_empty();
    let scope = Scope::of(&stages, is_any, places.clone())
        .ok_or_else(|| Failure::new(exit_code::FAILED, "the project has no stage"))?;
    if args.json {
        let policies = parts(args).into_iter().flat_map(|part| policies(&scope, part)).collect();
        let named = (!is_any).then(|| stages.iter().map(|one| one.stage.to_string()).collect());
        output::json(&PolicyDocument::new(project.name().to_string(), named, policies, trusted));
        return Ok(());
    }
    match &args.ci {
        Some(_) => {
            output::json(&trusted);
            say_trust(project.name().as_str(), &places, args);
        }
        None => {
            let parts: Vec<Part> = parts(args).into_iter().map(part_of).collect();
            let document = scope.policy(&parts);
            output::json(&document.to_value());
            say_policy(&scope, &document, &places);
        }
    }
    Ok(())
}

/// The settings of the stages that the policy is for: those that flags name, else those that project.toml names.
fn stages(project: &Project, args: &Args) -> Result<Vec<Settings>, Failure> {
    let named: BTreeSet<&StageName> = match args.stage.as_slice() {
        [] => project.stages().chain([project.default_stage()]).collect(),
        stages => stages.iter().collect(),
    };
    let overrides = Overrides { region: args.region.clone(), ..Overrides::default() };
    let settings = named.into_iter().map(|stage| project.resolve(stage, &overrides));
    Ok(settings.collect::<Result<_, _>>()?)
}

fn places(stages: &[Settings], args: &Args) -> BTreeSet<Place> {
    let region = session::region_of_environment();
    stages.iter().map(|one| Place::of(one, region.as_deref(), args.account.as_ref())).collect()
}

/// The parts that flags name; all of them without a flag.
fn parts(args: &Args) -> Vec<PolicyPart> {
    let flags = [
        (args.deployer, PolicyPart::Deploy),
        (args.operator, PolicyPart::Operate),
        (args.destroyer, PolicyPart::Destroy),
    ];
    let is_none = flags.iter().all(|(is_named, _)| !is_named);
    flags.into_iter().filter(|(is_named, _)| is_none || *is_named).map(|(_, part)| part).collect()
}

fn part_of(part: PolicyPart) -> Part {
    match part {
        PolicyPart::Deploy => Part::Deploy,
        PolicyPart::Operate => Part::Operate,
        PolicyPart::Destroy => Part::Destroy,
    }
}

fn policies(scope: &Scope, part: PolicyPart) -> Vec<PartPolicy> {
    let documents = scope.policy(&[part_of(part)]).split();
    let policy = |one: Document| PartPolicy { part, characters: one.size(), document: one.to_value() };
    documents.into_iter().map(policy).collect()
}

fn trust_policy(repository: &Repository, places: &BTreeSet<Place>, args: &Args) -> Result<Value, Failure> {
    let accounts: BTreeSet<&str> = places.iter().map(|place| place.account.as_str()).collect();
    let partition = places.first().map_or("aws", Place::partition);
    let (message, help) = match accounts.into_iter().collect::<Vec<_>>().as_slice() {
        [] | [ANY] => (
            "the trust policy names the account, and project.toml does not".to_owned(),
            "give it with --account, or set `account` in project.toml",
        ),
        [account] => return Ok(trust(repository.as_str(), &subjects(args), partition, account)),
        several => (
            format!("the stages are in {} accounts, and each has a trust policy of its own", several.len()),
            "name one with --stage or --account",
        ),
    };
    Err(Failure::with_help(exit_code::USAGE, message, help))
}

fn subjects(args: &Args) -> Vec<Subject> {
    let branches = args.branch.iter().map(|branch| Subject::Branch(branch.to_string()));
    let environments = args.environment.iter().map(|name| Subject::Environment(name.to_string()));
    let requests = args.pull_requests.then_some(Subject::PullRequests);
    let named: Vec<Subject> = branches.chain(environments).chain(requests).collect();
    if named.is_empty() { vec![Subject::Branch("main".to_owned())] } else { named }
}

fn say_policy(scope: &Scope, document: &Document, places: &BTreeSet<Place>) {
    if scope.is_empty() {
        output::message("note: the project has no function yet; with one the policy allows to deploy it");
    }
    let has_any = |of: fn(&Place) -> &String| places.iter().any(|place| of(place) == ANY);
    if has_any(|place| &place.account) {
        output::message("note: no account is named, and the policy is for any; give it with --account");
    }
    if has_any(|place| &place.region) {
        output::message("note: no region is named, and the policy is for any; give it with --region");
    }
    let (size, limit) = (thousands(document.size() as u64), thousands(LIMIT as u64));
    if document.size() > LIMIT {
        output::message(&format!(
            "warning: the policy has {size} characters, and a managed policy may have {limit}\n  help: make several: --deployer, \
             --operator and --destroyer are apart, and --json splits what is still too large; an inline policy of a role may \
             have 10,240"
        ));
    } else {
        output::message(&format!("note: {size} of the {limit} characters that a managed policy may have"));
    }
}

/// Says what to do with a trust policy. A role that pull requests take alone is to look, and no more.
fn say_trust(project: &str, places: &BTreeSet<Place>, args: &Args) {
    let looks = subjects(args).iter().all(|subject| matches!(subject, Subject::PullRequests));
    let (role, part) = if looks { ("plan", "--operator") } else { ("deploy", "--deployer") };
    let role = format!("{project}_{role}");
    let flag = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(" --{name} {value}")).unwrap_or_default()
    };
    let account = args.account.as_ref().map(ToString::to_string);
    let stages: String = args.stage.iter().map(|stage| format!(" --stage {stage}")).collect();
    let same = format!("{}{}{stages}", flag("account", &account), flag("region", &args.region));
    let provider = format!("https://{}", mdo_aws::policy::ISSUER);
    output::message(&format!(
        "note: the account needs the provider once: aws iam create-open-id-connect-provider --url {provider} --client-id-list {}",
        mdo_aws::policy::audience(places.first().map_or("aws", Place::partition)),
    ));
    output::message(&format!(
        "note: then the role: {} | aws iam create-role --role-name {role} --assume-role-policy-document file:///dev/stdin",
        typed::command(),
    ));
    output::message(&format!(
        "note: then what it may do: mdo policy {part}{same} | aws iam put-role-policy --role-name {role} --policy-name mdo \
         --policy-document file:///dev/stdin"
    ));
}
