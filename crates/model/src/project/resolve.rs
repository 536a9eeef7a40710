//! Merges the files and flags of a project into the settings of one stage.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::{self, Layer, Merged, Overrides};
use super::function_file::{VpcSetting, WarmRule};
use super::loaded_function::LoadedFunction;
use super::manifest::{ApiTable, QuotaTable, StageFunction, StageTable, ThrottleTable};
use super::problem::{Place, Problem, Problems};
use super::shape::{OrOff, WarmSetting};
use super::written::Project;
use super::{
    AccountId, ApiSettings, FunctionConfiguration, FunctionName, FunctionSettings, Names, Period, Quota,
    RouteSettings, Security, Settings, StageName, Throttle, Warm, derivative, format, permission, reference,
    routes, server,
};
use crate::stack::{AccessLogs, Recording};

/// How to set a variable, with `{}` in place of its name.
const SET: &str =
    "set it with -s {}=…, in an environment file (-E), or under \"environment\" in function.json";

impl Project {
    /// The settings of a stage: every default applied, every override merged, every required variable set.
    ///
    /// # Errors
    ///
    /// Everything that [`Project::resolve`] and [`Project::check_required_environment`] find, at once.
    pub fn settings(&self, stage: &StageName, overrides: &Overrides) -> Result<Settings, Problems> {
        let (settings, mut problems) = self.merged(stage, overrides);
        problems.extend(self.missing_environment(&settings, &BTreeMap::new(), SET));
        Problems::unless(problems, settings)
    }

    /// The settings of a stage, whether or not the required variables are set: for a command that keeps what the live
    /// stage has, and for those that deploy nothing.
    ///
    /// # Errors
    ///
    /// Environment files that cannot be read, variables both set and unset, an environment above 4 KB, names above
    /// 64 characters, an OPTIONS route beside `cors`: everything at once.
    pub fn resolve(&self, stage: &StageName, overrides: &Overrides) -> Result<Settings, Problems> {
        let (settings, problems) = self.merged(stage, overrides);
        Problems::unless(problems, settings)
    }

    /// Checks that every `required_environment` is set by `settings`, or is `live`: on the stage already and to be kept.
    /// `ways` tells how to set one, with `{}` in place of its name; `None` for the usual ways.
    ///
    /// # Errors
    ///
    /// Each variable that is not, with its function and the ways to set it.
    pub fn check_required_environment(
        &self,
        settings: &Settings,
        live: &BTreeMap<FunctionName, BTreeSet<String>>,
        ways: Option<&str>,
    ) -> Result<(), Problems> {
        Problems::unless(self.missing_environment(settings, live, ways.unwrap_or(SET)), ())
    }

    fn missing_environment(
        &self,
        settings: &Settings,
        live: &BTreeMap<FunctionName, BTreeSet<String>>,
        ways: &str,
    ) -> Vec<Problem> {
        let problem = |(name, variable, place): (&FunctionName, &String, Option<Place>)| {
            Problem::new(format!("function {name} requires {variable}, which nothing sets"))
                .at(place)
                .help(ways.replace("{}", variable))
        };
        let is_live =
            |name: &FunctionName, variable: &str| live.get(name).is_some_and(|live| live.contains(variable));
        self.unset(settings).filter(|(name, variable, _)| !is_live(name, variable)).map(problem).collect()
    }

    /// The variables that functions require and that `settings` do not set.
    pub fn unset_variables(&self, settings: &Settings) -> BTreeSet<String> {
        self.unset(settings).map(|(_, variable, _)| variable.clone()).collect()
    }

    /// The same, function by function.
    pub fn unmet_requirements(&self, settings: &Settings) -> Vec<(FunctionName, String)> {
        self.unset(settings).map(|(name, variable, _)| (name.clone(), variable.clone())).collect()
    }

    /// Each requirement that `settings` do not meet: the function, the variable, and where it is required.
    fn unset<'a>(
        &'a self,
        settings: &'a Settings,
    ) -> impl Iterator<Item = (&'a FunctionName, &'a String, Option<Place>)> {
        self.functions.iter().flat_map(move |(name, function)| {
            let set = settings.functions.get(name).map(|function| &function.configuration.environment);
            let required = function.file.required_environment.iter().enumerate();
            let unset =
                required.filter(move |(_, variable)| !set.is_some_and(|set| set.contains_key(*variable)));
            unset.map(move |(index, variable)| {
                let place = function.document.place(&["required_environment", &index.to_string()]);
                (name, variable, place)
            })
        })
    }

    /// What is wrong at a stage without any flag.
    pub(super) fn problems_at(&self, stage: &StageName) -> Vec<Problem> {
        self.merged(stage, &Overrides::default()).1
    }

    fn merged(&self, stage: &StageName, overrides: &Overrides) -> (Settings, Vec<Problem>) {
        let mut problems = Vec::new();
        let manifest = &self.manifest;
        let no_overrides = StageTable::default();
        let table = manifest.stages.get(stage).unwrap_or(&no_overrides);
        let mut api = api_settings(&manifest.api, &table.api);
        let security = table.api.security.or(manifest.api.security).unwrap_or(Security::Key);
        if api.cors {
            routes::check_cors(&self.functions, &mut problems);
        }
        if let Some(problem) = overrides.region.as_deref().and_then(|region| format::check("region", region))
        {
            problems.push(problem);
        }
        let layers = self.layers(stage, table, overrides, &mut problems);
        let region = overrides.region.as_ref().or(table.region.as_ref()).or(manifest.region.as_ref());
        let region = region.map(String::as_str);
        let account = table.account.as_ref().or(manifest.account.as_ref());
        let functions: BTreeMap<_, _> = self
            .functions
            .iter()
            .map(|(name, function)| {
                let at = AtStage { stage, table, security, region, account };
                let settings = self.function_settings(name, function, &at, &layers, &mut problems);
                (name.clone(), settings)
            })
            .collect();
        let server = server::settings(self, stage, table, &functions, overrides.hosted, &mut problems);
        if server.is_some() {
            api.quota = None;
        }
        let settings = Settings {
            root: self.root.clone(),
            knows_hosting: self.knows_hosting(),
            project: manifest.name.clone(),
            description: manifest.description.clone(),
            stage: stage.clone(),
            protected: table.protect.unwrap_or(false),
            region: region.map(str::to_owned),
            // `--profile ''` stands for none.
            profile: overrides
                .profile
                .as_ref()
                .or(table.profile.as_ref())
                .or(manifest.profile.as_ref())
                .filter(|profile| !profile.is_empty())
                .cloned(),
            // A profile that a flag names is meant, whatever is in the environment.
            profile_unless_env: overrides.profile.is_none() && manifest.profile_unless_env.unwrap_or(false),
            regions: manifest
                .stages
                .values()
                .map(|table| &table.region)
                .chain([&manifest.region])
                .flatten()
                .cloned()
                .collect(),
            account: account.cloned(),
            role: manifest.role.clone(),
            permissions_boundary: manifest.permissions_boundary.clone(),
            log_retention_days: manifest.logs.retention_days.unwrap_or(30),
            artifacts: manifest.artifacts.clone(),
            tags: manifest.tags.clone(),
            stage_tags: manifest.tags.with(&table.tags),
            api,
            server,
            derivatives: derivative::placed_settings(&self.root, manifest, &self.document),
            functions,
        };
        self.check_names(&settings, &mut problems);
        (settings, problems)
    }

    fn layers(
        &self,
        stage: &StageName,
        table: &StageTable,
        overrides: &Overrides,
        problems: &mut Vec<Problem>,
    ) -> Layers {
        let stage_path = ["stages", stage.as_str(), "environment"];
        let defaults = Layer::of_document(
            &self.manifest.defaults.environment,
            &self.document,
            &["defaults", "environment"],
        );
        let at_stage = Layer::of_document(&table.environment, &self.document, &stage_path);
        let mut over = Vec::new();
        let own = overrides.own_env_file.iter().map(|path| Layer::of_own_file(path));
        let piped = overrides.piped.as_ref();
        for read in own.chain(overrides.env_files.iter().map(|path| Layer::of_file(path, piped))) {
            match read {
                Ok(layer) => over.push(layer),
                Err(found) => problems.extend(found),
            }
        }
        over.push(Layer::of_flags(&overrides.set));
        for layer in [&defaults, &at_stage].into_iter().chain(&over) {
            problems.extend(layer.contradictions(&overrides.unset));
        }
        Layers { defaults, at_stage, over, unset: overrides.unset.clone() }
    }

    fn function_settings(
        &self,
        name: &FunctionName,
        function: &LoadedFunction,
        at: &AtStage<'_>,
        layers: &Layers,
        problems: &mut Vec<Problem>,
    ) -> FunctionSettings {
        let (file, own, defaults) = (&function.file, &function.file.common, &self.manifest.defaults);
        let no_overrides = StageFunction::default();
        let here = at.table.functions.get(name).unwrap_or(&no_overrides);
        let Merged { environment, referred } =
            self.environment(name, function, at.stage, (here, layers), problems);
        let mut permissions = permission::permissions(
            [&defaults.permissions, &own.permissions].into_iter().flatten().flatten(),
        );
        permissions.extend(&reference::permissions(referred.values(), at.region, at.account));
        let routes = routes::of(name, function).into_iter().map(|placed| RouteSettings {
            route: placed.route,
            security: placed.security.unwrap_or(at.security),
        });
        let default = FunctionConfiguration::default();
        let runtime = own.runtime.as_ref().or(defaults.runtime.as_ref());
        let handler = own.handler.as_ref().or(defaults.handler.as_ref());
        FunctionSettings {
            folder: self.root.join("functions").join(name.as_str()),
            configuration: FunctionConfiguration {
                description: file.description.clone().unwrap_or_default(),
                runtime: runtime.cloned().unwrap_or(default.runtime),
                handler: handler.cloned().unwrap_or(default.handler),
                architecture: own.architecture.or(defaults.architecture).unwrap_or_default(),
                memory: here.memory.or(own.memory).or(defaults.memory).unwrap_or(default.memory),
                timeout: here.timeout.or(own.timeout).or(defaults.timeout).unwrap_or(default.timeout),
                ephemeral_storage: here
                    .ephemeral_storage
                    .or(own.ephemeral_storage)
                    .or(defaults.ephemeral_storage)
                    .unwrap_or(default.ephemeral_storage),
                environment,
                vpc: [&here.vpc, &own.vpc, &defaults.vpc]
                    .into_iter()
                    .flatten()
                    .next()
                    .and_then(VpcSetting::resolved),
                layers: own.layers.as_ref().or(defaults.layers.as_ref()).cloned().unwrap_or_default(),
                tracing: here.tracing.or(own.tracing).or(defaults.tracing).unwrap_or_default(),
                deadletter_arn: own.deadletter_arn.as_ref().or(defaults.deadletter_arn.as_ref()).cloned(),
                kms_arn: own.kms_arn.as_ref().or(defaults.kms_arn.as_ref()).cloned(),
            },
            derivatives: own
                .derivatives
                .iter()
                .chain(&defaults.derivatives)
                .next()
                .map(|names| names.iter().cloned().collect())
                .unwrap_or_default(),
            role: file.role.clone(),
            permissions,
            referred,
            concurrency: file.concurrency,
            routes: routes.collect(),
            warm: match here.warm {
                Some(setting) => written_warm(setting),
                None => warm(function, at.table),
            },
            build_hook: file.hooks.build.clone(),
            clean_hook: file.hooks.clean.clone(),
        }
    }

    /// The environment of a function: each source over the ones before it.
    fn environment(
        &self,
        name: &FunctionName,
        function: &LoadedFunction,
        stage: &StageName,
        (here, layers): (&StageFunction, &Layers),
        problems: &mut Vec<Problem>,
    ) -> Merged {
        let own = &function.file.common.environment;
        let own = Layer::of_document(own, &function.document, &["environment"]);
        let path = ["stages", stage.as_str(), "functions", name.as_str(), "environment"];
        let here = Layer::of_document(&here.environment, &self.document, &path);
        problems.extend([&own, &here].into_iter().flat_map(|layer| layer.contradictions(&layers.unset)));
        let under = [&layers.defaults, &own, &layers.at_stage, &here];
        let merged = environment::merge(under.into_iter().chain(&layers.over));
        problems.extend(environment::check_size(name.as_str(), &merged.environment, &function.document));
        merged
    }

    fn check_names(&self, settings: &Settings, problems: &mut Vec<Problem>) {
        let names = Names { project: settings.project.clone(), stage: settings.stage.clone() };
        for (name, function) in &settings.functions {
            let rule = function.warm.map(|_| ("warm rule", names.warm_rule(name)));
            for (kind, full) in [Some(("function", names.function(name))), rule].into_iter().flatten() {
                let length = full.chars().count();
                if length > Names::LIMIT {
                    problems.push(
                        Problem::new(format!(
                            "the {kind} of {name} would be called `{full}`, which has {length} characters: {} is the most",
                            Names::LIMIT
                        ))
                        .help("shorten the name of the project, the function's folder or the stage"),
                    );
                }
            }
        }
    }
}

/// A stage, with what its functions take from it.
struct AtStage<'a> {
    stage: &'a StageName,
    table: &'a StageTable,
    security: Security,
    region: Option<&'a str>,
    account: Option<&'a AccountId>,
}

/// The sources of variables around a function's own: one below it, the others over it, those of flags over all.
struct Layers {
    defaults: Layer,
    at_stage: Layer,
    over: Vec<Layer>,
    unset: BTreeSet<String>,
}

fn api_settings(base: &ApiTable, stage: &ApiTable) -> ApiSettings {
    let access_logs = stage.access_logs.as_ref().or(base.access_logs.as_ref());
    ApiSettings {
        recording: Recording {
            tracing: stage.tracing.or(base.tracing),
            access_logs: access_logs.map(|logs| match logs {
                OrOff::Off(_) => AccessLogs::Off,
                OrOff::On(arn) => AccessLogs::to(&arn.0),
            }),
        },
        throttle: throttle(base.throttle, stage.throttle),
        quota: quota(base.quota, stage.quota),
        cors: stage.cors.or(base.cors).unwrap_or(false),
        timeout_ms: stage.timeout.or(base.timeout).map_or(29_000, |timeout| timeout.milliseconds()),
        binary_media_types: stage
            .binary_media_types
            .as_ref()
            .or(base.binary_media_types.as_ref())
            .cloned()
            .unwrap_or_default(),
    }
}

/// What is written last counts, field by field; a table after `false` starts from the defaults.
fn over<T: Copy>(base: Option<OrOff<T>>, stage: Option<OrOff<T>>) -> Option<[Option<T>; 2]> {
    match (base, stage) {
        (_, Some(OrOff::Off(_))) | (Some(OrOff::Off(_)), None) => None,
        (Some(OrOff::On(base)), Some(OrOff::On(stage))) => Some([Some(stage), Some(base)]),
        (_, Some(OrOff::On(only))) | (Some(OrOff::On(only)), None) => Some([Some(only), None]),
        (None, None) => Some([None, None]),
    }
}

fn throttle(base: Option<OrOff<ThrottleTable>>, stage: Option<OrOff<ThrottleTable>>) -> Option<Throttle> {
    let tables = over(base, stage)?;
    let rate = tables.iter().flatten().find_map(|table| table.rate).unwrap_or(10.0);
    let burst = tables.iter().flatten().find_map(|table| table.burst).unwrap_or(20);
    Some(Throttle { rate, burst })
}

fn quota(base: Option<OrOff<QuotaTable>>, stage: Option<OrOff<QuotaTable>>) -> Option<Quota> {
    let tables = over(base, stage)?;
    let limit = tables.iter().flatten().find_map(|table| table.limit).unwrap_or(10_000);
    let period = tables.iter().flatten().find_map(|table| table.period).unwrap_or(Period::Day);
    Some(Quota { limit, period })
}

fn warm(function: &LoadedFunction, stage: &StageTable) -> Option<Warm> {
    let mut warm = written_warm(function.file.warm?)?;
    match stage.warm {
        None => {}
        Some(WarmSetting::Off(_)) => return None,
        Some(WarmSetting::Rate(rate)) => warm.rate = rate,
        Some(WarmSetting::Rule(rule)) => {
            warm.rate = rule.rate.unwrap_or(warm.rate);
            warm.concurrency = rule.concurrency.unwrap_or(warm.concurrency);
        }
    }
    Some(warm)
}

/// The rule that a function's own setting asks for.
fn written_warm(setting: WarmSetting<WarmRule>) -> Option<Warm> {
    match setting {
        WarmSetting::Off(_) => None,
        WarmSetting::Rate(rate) => Some(Warm { rate, concurrency: 1 }),
        WarmSetting::Rule(rule) => Some(Warm { rate: rule.rate, concurrency: rule.concurrency.unwrap_or(1) }),
    }
}
