//! Reads functions: what an alias serves in the model's terms, and what the sequences need to know beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    Architecture as LambdaArchitecture, FunctionConfiguration as LiveConfiguration, LastUpdateStatus, State,
};
use mdo_engine::{Cause, Error, Redactor};
use mdo_model::Sha256;
use mdo_model::project::{
    AccountId, Architecture, FunctionConfiguration, FunctionName, Names, Secret, Tags, Tracing, Vpc,
};
use mdo_model::stack::Function;

use super::description;
use super::marks::Marks;
use crate::client::Aws;
use crate::ownership::{self, Owner};
use crate::pages;

/// The tag of a function that mdo has reserved concurrency for.
pub(crate) const CONCURRENCY_TAG: &str = "mdo:concurrency";

/// How long a function may stay Pending or InProgress. Networks take the longest, a minute and a half.
const SETTLES_WITHIN: Duration = Duration::from_secs(180);

/// How long Lambda is at work at least, as a rule; the first pause of a wait.
const SOON: Duration = Duration::from_millis(50);

/// A function, or one of its versions, as Lambda tells it.
pub(crate) struct Live {
    /// In the model's terms, but for what is read apart: log retention, invokers and concurrency.
    pub function: Function,
    /// Whether mdo has reserved concurrency for it. How much has to be asked for: of a version or an alias, Lambda
    /// does not tell.
    pub reserves: bool,
    /// What its tags say of the stage, be it so or not: see [`Marks::at`].
    pub marks: Marks,
    /// The stage that has published it last, where its description says so.
    pub published_by: Option<String>,
    /// Whose it is.
    pub owner: Owner,
    /// The function's ARN without version or alias.
    pub arn: String,
    /// The version, `$LATEST` included.
    pub version: String,
    /// What guards an update.
    pub revision: Option<String>,
    /// When it was changed last, as RFC 3339 in UTC.
    pub modified: Option<String>,
    state: Option<State>,
    update: Option<LastUpdateStatus>,
    reason: String,
}

impl Live {
    /// Whether Lambda is still at work on it.
    pub(crate) fn is_busy(&self) -> bool {
        is_busy(self.state.as_ref(), self.update.as_ref())
    }

    fn failure(&self, on: &str) -> Option<Error> {
        let failed = self.state == Some(State::Failed) || self.update == Some(LastUpdateStatus::Failed);
        failed.then(|| {
            Error::new(Cause::Other, format!("Lambda could not bring {on} up: {}", self.reason))
                .with_help("correct what the reason names and deploy again")
        })
    }
}

/// Whether a state says that Lambda is still at work.
pub(crate) fn is_busy(state: Option<&State>, update: Option<&LastUpdateStatus>) -> bool {
    state == Some(&State::Pending) || update == Some(&LastUpdateStatus::InProgress)
}

/// What `GetFunction` found.
pub(crate) enum Lookup {
    Found(Box<Live>),
    /// Not there; the account when the answer names it.
    Absent(Option<AccountId>),
}

/// Reads a function at a qualifier (an alias or a version), or `$LATEST` without one.
pub(crate) async fn look_up(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    qualifier: Option<&str>,
) -> Result<Lookup, Error> {
    let name = names.function(function);
    let answer = aws
        .call("lambda:GetFunction", &name, || {
            aws.lambda.get_function().function_name(&name).set_qualifier(qualifier.map(str::to_owned)).send()
        })
        .await;
    match answer {
        Ok(answer) => Ok(Lookup::Found(Box::new(read(names, &aws.redactor, &answer, qualifier.is_some())?))),
        Err(error) if error.is(&Cause::Gone) => Ok(Lookup::Absent(aws.mentioned_account())),
        Err(error) => Err(error),
    }
}

/// The names of the functions that have our prefix, whosever they are.
pub(crate) async fn list(aws: &Aws, names: &Names) -> Result<BTreeSet<FunctionName>, Error> {
    let functions = list_all(aws).await?;
    let listed = functions.iter().filter_map(|function| function.function_name());
    Ok(listed.filter_map(|name| names.function_of(name)).collect())
}

/// Every function of the account in the region, as `$LATEST` is configured.
pub(super) async fn list_all(aws: &Aws) -> Result<Vec<LiveConfiguration>, Error> {
    pages::all(async |position: Option<String>| {
        let list = || aws.lambda.list_functions().max_items(50).set_marker(position.clone()).send();
        let answer = aws.call("lambda:ListFunctions", "", list).await?;
        Ok((answer.functions, answer.next_marker))
    })
    .await
}

/// Reads a function's tags apart.
pub(crate) async fn read_tags(aws: &Aws, names: &Names, live: &mut Live) -> Result<(), Error> {
    let arn = live.arn.clone();
    let answer = aws.call("lambda:ListTags", &arn, || aws.lambda.list_tags().resource(&arn).send()).await?;
    let tags = answer.tags();
    live.owner = ownership::of(tags.into_iter().flatten(), &names.project);
    live.function.owned = live.owner == Owner::Us;
    live.function.tags = Tags::recorded(tags.into_iter().flatten());
    live.reserves = tags.is_some_and(|tags| tags.contains_key(CONCURRENCY_TAG));
    live.marks = Marks::of(tags, names);
    Ok(())
}

/// How much concurrency is reserved for a function.
pub(crate) async fn reserved(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
) -> Result<Option<u32>, Error> {
    let name = names.function(function);
    let answer = aws
        .call("lambda:GetFunctionConcurrency", &name, || {
            aws.lambda.get_function_concurrency().function_name(&name).send()
        })
        .await?;
    Ok(answer.reserved_concurrent_executions().and_then(|reserved| u32::try_from(reserved).ok()))
}

/// As [`look_up`], where the function has to be there.
async fn get(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    qualifier: Option<&str>,
) -> Result<Box<Live>, Error> {
    match look_up(aws, names, function, qualifier).await? {
        Lookup::Found(live) => Ok(live),
        Lookup::Absent(_) => {
            let name = names.function(function);
            let at = qualifier.map(|qualifier| format!(" at {qualifier}")).unwrap_or_default();
            Err(Error::new(Cause::Gone, format!("there is no function {name}{at}")))
        }
    }
}

/// As [`settled`], where Lambda has just said that it is at work: asking at once would be a call for nothing.
pub(crate) async fn settled_soon(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    qualifier: Option<&str>,
) -> Result<Box<Live>, Error> {
    aws.pause(SOON).await?;
    settled(aws, names, function, qualifier).await
}

/// Waits until Lambda is no longer at work on a function, which must have come out well.
async fn settled(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    qualifier: Option<&str>,
) -> Result<Box<Live>, Error> {
    let live = idle(aws, names, function, qualifier).await?;
    match live.failure(&names.function(function)) {
        Some(failure) => Err(failure),
        None => Ok(live),
    }
}

/// Waits until Lambda is no longer at work on a function, by `GetFunction`, whose quota is the largest. What became of it
/// is not looked at: a function that has failed is there to be repaired.
pub(crate) async fn idle(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    qualifier: Option<&str>,
) -> Result<Box<Live>, Error> {
    let give_up = tokio::time::Instant::now() + SETTLES_WITHIN;
    let mut pause = SOON;
    loop {
        let live = get(aws, names, function, qualifier).await?;
        if !live.is_busy() {
            return Ok(live);
        }
        if tokio::time::Instant::now() > give_up {
            let (name, waited) = (names.function(function), SETTLES_WITHIN.as_secs());
            let message = format!("Lambda is still updating {name} after {waited} s");
            return Err(Error::new(Cause::Other, message).with_help("run the command again in a minute"));
        }
        aws.pause(pause).await?;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Of an alias, `at_stage`, what has failed or could change under it is not what a stage can serve: it has no code.
fn read(
    names: &Names,
    redactor: &Redactor,
    answer: &GetFunctionOutput,
    at_stage: bool,
) -> Result<Live, Error> {
    let incomplete = || Error::new(Cause::Other, "Lambda's answer has no configuration");
    let configuration = answer.configuration().ok_or_else(incomplete)?;
    let arn = configuration.function_arn().ok_or_else(incomplete)?;
    let owner = match answer.tags_error() {
        Some(error) => {
            let why = redactor.clean(error.message());
            let message = format!("cannot read the tags of {arn}: {why}");
            return Err(Error::new(Cause::Denied, message)
                .with_help("allow `lambda:ListTags` for the identity that you deploy with")
                .with_reference(error.error_code()));
        }
        None => ownership::of(answer.tags().into_iter().flatten(), &names.project),
    };
    if let Some(error) = configuration.environment().and_then(|environment| environment.error()) {
        let why = redactor.clean(error.message().unwrap_or("no reason given"));
        let message = format!("cannot read the environment of {arn}: {why}");
        return Err(Error::new(Cause::Denied, message)
            .with_help(
                "allow `kms:Decrypt` on the key that encrypts it for the identity that you deploy with",
            )
            .with_reference(error.error_code().unwrap_or_default()));
    }
    let mut function = read_configuration(names, configuration);
    redactor.learn_environment(&function.configuration.environment);
    let is_mutable = configuration.version() == Some("$LATEST");
    if at_stage && (is_mutable || configuration.state() == Some(&State::Failed)) {
        function.code = None;
    }
    function.owned = owner == Owner::Us;
    function.tags = Tags::recorded(answer.tags().into_iter().flatten());
    Ok(Live {
        function,
        reserves: answer.tags().is_some_and(|tags| tags.contains_key(CONCURRENCY_TAG)),
        marks: Marks::of(answer.tags(), names),
        published_by: configuration
            .description()
            .and_then(description::record)
            .map(|record| record.stage.to_owned()),
        owner,
        arn: arn.splitn(8, ':').take(7).collect::<Vec<_>>().join(":"),
        version: configuration.version().unwrap_or("$LATEST").to_owned(),
        revision: configuration.revision_id().map(str::to_owned),
        modified: configuration.last_modified().map(in_utc),
        state: configuration.state().cloned(),
        update: configuration.last_update_status().cloned(),
        reason: redactor.clean(
            configuration
                .last_update_status_reason()
                .or(configuration.state_reason())
                .unwrap_or("no reason given"),
        ),
    })
}

fn read_configuration(names: &Names, configuration: &LiveConfiguration) -> Function {
    Function {
        configuration: read_settings(configuration),
        role: role_of(names, configuration.role().unwrap_or_default()),
        concurrency: None,
        code: configuration.code_sha256().and_then(|text| Sha256::from_base64(text).ok()),
        derivatives: BTreeMap::new(),
        invokers: Default::default(),
        owned: true,
        canary: None,
        tags: Tags::default(),
    }
}

fn read_settings(configuration: &LiveConfiguration) -> FunctionConfiguration {
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    let environment = configuration.environment().and_then(|environment| environment.variables());
    let vpc = configuration.vpc_config().filter(|vpc| !vpc.subnet_ids().is_empty());
    FunctionConfiguration {
        description: description::user_part(configuration.description().unwrap_or_default()).to_owned(),
        runtime: configuration.runtime().map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
        handler: configuration.handler().unwrap_or_default().to_owned(),
        architecture: match configuration.architectures().first() {
            Some(LambdaArchitecture::Arm64) => Architecture::Arm64,
            _ => Architecture::X86_64,
        },
        memory: number(configuration.memory_size()),
        timeout: number(configuration.timeout()),
        ephemeral_storage: configuration
            .ephemeral_storage()
            .map_or(512, |storage| u32::try_from(storage.size()).unwrap_or(512)),
        environment: environment
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), Secret::new(value)))
            .collect(),
        vpc: vpc.map(|vpc| Vpc::new(vpc.subnet_ids().to_vec(), vpc.security_group_ids().to_vec())),
        layers: configuration.layers().iter().filter_map(|layer| layer.arn().map(str::to_owned)).collect(),
        tracing: match configuration.tracing_config().and_then(|tracing| tracing.mode()) {
            Some(aws_sdk_lambda::types::TracingMode::Active) => Tracing::Active,
            _ => Tracing::Passthrough,
        },
        deadletter_arn: text(configuration.dead_letter_config().and_then(|letters| letters.target_arn())),
        kms_arn: text(configuration.kms_key_arn()),
    }
}

/// The bare name for the project's own role, the ARN for any other.
fn role_of(names: &Names, arn: &str) -> String {
    match arn.rsplit_once(":role/") {
        Some((_, name)) if name == names.role() => name.to_owned(),
        _ => arn.to_owned(),
    }
}

/// The account in an ARN, or in a message that quotes one.
pub(crate) fn account_in(text: &str) -> Option<AccountId> {
    text.split_once("arn:")?.1.split(':').nth(3)?.parse().ok()
}

/// Lambda's own way to write a time in UTC, `2026-11-26T20:44:34.000+0000`, as RFC 3339, which wants a colon or a `Z`.
pub(super) fn in_utc(time: &str) -> String {
    time.strip_suffix("+0000").map_or_else(|| time.to_owned(), |time| format!("{time}Z"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{EnvironmentResponse, Runtime, TracingConfigResponse, TracingMode};

    use super::*;

    fn names() -> Names {
        Names { project: "ml_api".parse().expect("a name"), stage: "dev".parse().expect("a name") }
    }

    #[test]
    fn a_time_of_lambda_reads_as_rfc_3339() {
        assert_eq!(in_utc("2026-11-26T20:44:34.000+0000"), "2026-11-26T20:44:34.000Z");
        assert_eq!(in_utc("2026-11-26T20:44:34.000Z"), "2026-11-26T20:44:34.000Z");
    }

    #[test]
    fn the_account_is_read_from_an_arn_and_from_an_error_that_quotes_one() {
        let account = |text: &str| account_in(text).map(|account| account.to_string());
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:ml_api_x:dev";
        assert_eq!(account(arn).as_deref(), Some("123456789012"));
        assert_eq!(account(&format!("Function not found: {arn}")).as_deref(), Some("123456789012"));
        assert_eq!(account("Function not found: ml_api_x"), None);
    }

    #[test]
    fn only_the_projects_own_role_goes_by_its_bare_name() {
        let own = "arn:aws:iam::123456789012:role/ml_api_lambda_function";
        assert_eq!(role_of(&names(), own), "ml_api_lambda_function");
        assert_eq!(
            role_of(&names(), "arn:aws:iam::123456789012:role/other"),
            "arn:aws:iam::123456789012:role/other"
        );
        let pathed = "arn:aws:iam::123456789012:role/team/ml_api_lambda_function";
        assert_eq!(role_of(&names(), pathed), pathed);
    }

    #[test]
    fn a_version_reads_as_the_model_has_it() {
        let configuration = LiveConfiguration::builder()
            .description("Samples [mdo dev abc1234]")
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .memory_size(128)
            .timeout(30)
            .role("arn:aws:iam::123456789012:role/ml_api_lambda_function")
            .code_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
            .environment(EnvironmentResponse::builder().variables("N_CLASSES", "2").build())
            .tracing_config(TracingConfigResponse::builder().mode(TracingMode::Active).build())
            .architectures(LambdaArchitecture::Arm64)
            .build();
        let function = read_configuration(&names(), &configuration);
        assert_eq!(function.configuration.description, "Samples");
        assert_eq!(function.configuration.runtime, "provided.al2023");
        assert_eq!(function.configuration.architecture, Architecture::Arm64);
        assert_eq!(
            (
                function.configuration.memory,
                function.configuration.timeout,
                function.configuration.ephemeral_storage
            ),
            (128, 30, 512)
        );
        assert_eq!(function.role, "ml_api_lambda_function");
        assert_eq!(function.code, Some(Sha256::of(b"")));
        assert_eq!(function.configuration.environment["N_CLASSES"].reveal(), "2");
        assert_eq!(function.configuration.tracing, Tracing::Active);
    }
}
