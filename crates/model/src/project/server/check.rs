//! Merges `[server]` with a stage's own table, and says what a hosted stage cannot have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::interpreter::Interpreter;
use super::super::manifest::StageTable;
use super::super::problem::{Place, Problem};
use super::super::shape::OrOff;
use super::super::written::Project;
use super::super::{Architecture, FunctionName, FunctionSettings, Security, StageName, routes};
use super::reference::is_archive;
use super::shared;
use super::table::{ServerTable, TasksSetting};
use super::{Base, Container, Entry, Hosting, ServerSecret, ServerSettings, TaskSize, Tasks};
use crate::hosted::OWN_MEMORY;

/// The settings of a hosted stage; `None` where the stage is not hosted, unless they are `for_image`. What a hosted stage cannot
/// have is a problem.
pub(in crate::project) fn settings(
    project: &Project,
    stage: &StageName,
    table: &StageTable,
    functions: &BTreeMap<FunctionName, FunctionSettings>,
    for_image: bool,
    problems: &mut Vec<Problem>,
) -> Option<ServerSettings> {
    if table.hosting != Some(Hosting::Server) && !for_image {
        return None;
    }
    let merged = project.manifest.server.under(&table.server);
    let mut checker = Checker { project, stage, problems };
    let size = checker.size(&merged);
    let container = checker.container(&merged, functions);
    if matches!(container, Container::Functions { .. }) {
        checker.functions(functions, size);
    }
    let entry = match for_image {
        true => Entry::Http,
        false => {
            checker.quota(table);
            shared::check(project, stage, table, checker.problems);
            checker.entry(&merged, functions)
        }
    };
    Some(ServerSettings {
        size,
        tasks: checker.tasks(&merged),
        entry,
        domain: merged.domain.clone(),
        drain: merged.drain.unwrap_or(30),
        container,
        task_role: merged.task_role.clone(),
        secrets: checker.secrets(&merged, functions),
        subnets: checker.subnets(&merged),
        security_groups: merged.security_groups.unwrap_or_default().into_iter().collect(),
        spot: merged.spot.unwrap_or(false),
    })
}

struct Checker<'a> {
    project: &'a Project,
    stage: &'a StageName,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, message: impl Into<String>, place: Option<Place>, help: impl Into<String>) {
        self.problems.push(Problem::new(message).at(place).help(help));
    }

    /// Where a key of the server was written, else where the stage says that it is hosted.
    fn place(&self, key: &str) -> Option<Place> {
        let document = &self.project.document;
        let own = ["stages", self.stage.as_str(), "server", key];
        document.key_place(&own).or_else(|| document.key_place(&["server", key])).or_else(|| self.hosting())
    }

    fn hosting(&self) -> Option<Place> {
        self.project.document.key_place(&["stages", self.stage.as_str(), "hosting"])
    }

    fn of_function(&self, name: &FunctionName, key: &str) -> Option<Place> {
        self.project.place(name, key).or_else(|| self.hosting())
    }

    fn size(&mut self, table: &ServerTable) -> TaskSize {
        let vcpu = table.cpu.unwrap_or(TaskSize::SMALLEST.vcpu());
        let memory = table.memory.unwrap_or(TaskSize::SMALLEST.memory);
        TaskSize::new(vcpu, memory).unwrap_or_else(|nearest| {
            let place = self.place(if table.memory.is_some() { "memory" } else { "cpu" });
            self.report(
                format!("Fargate has no task of {vcpu} vCPU and {memory} MB"),
                place,
                format!("the nearest is `cpu = {}` with `memory = {}`", nearest.vcpu(), nearest.memory),
            );
            nearest
        })
    }

    fn tasks(&mut self, table: &ServerTable) -> Tasks {
        match table.tasks {
            None => Tasks { min: 2, max: 2, cpu: None },
            Some(TasksSetting::Fixed(count)) => Tasks { min: count, max: count, cpu: None },
            Some(TasksSetting::Scaled(range)) => {
                if range.min > range.max {
                    let place = self.place("tasks");
                    self.report(
                        format!("`tasks` has a `min` of {} above its `max` of {}", range.min, range.max),
                        place,
                        "exchange them",
                    );
                }
                let scales = range.min < range.max;
                Tasks { min: range.min, max: range.max, cpu: scales.then_some(range.cpu.unwrap_or(60)) }
            }
        }
    }

    fn entry(&mut self, table: &ServerTable, functions: &BTreeMap<FunctionName, FunctionSettings>) -> Entry {
        let in_clear = table.http == Some(true);
        match (&table.certificate, in_clear) {
            (Some(_), true) => {
                let place = self.place("http");
                self.report(
                    "`http = true` contradicts `certificate`, with which plain HTTP is sent on to HTTPS",
                    place,
                    "take one of them out",
                );
                Entry::Http
            }
            (Some(certificate), false) => Entry::Https(certificate.clone()),
            (None, true) => Entry::Http,
            (None, false) => {
                let keyed = functions.values().flat_map(|function| &function.routes);
                let keyed = keyed.clone().find(|route| route.security == Security::Key);
                let message = match keyed {
                    Some(route) => format!(
                        "stage {} has no `certificate`: the keys of `{}` would travel in clear",
                        self.stage, route.route
                    ),
                    None => format!("stage {} has no `certificate`: it would answer plain HTTP", self.stage),
                };
                let place = self.hosting();
                self.report(
                    message,
                    place,
                    "name a certificate of AWS Certificate Manager under `[server]`, or ask for it: `http = true`",
                );
                Entry::Http
            }
        }
    }

    fn container(
        &mut self,
        table: &ServerTable,
        functions: &BTreeMap<FunctionName, FunctionSettings>,
    ) -> Container {
        let given = [
            ("base", table.base.is_some()),
            ("dockerfile", table.dockerfile.is_some()),
            ("image", table.image.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| key).collect();
        if let [first, second, ..] = given[..] {
            let place = self.place(second);
            self.report(
                format!("`{first}` and `{second}` both say what the containers run"),
                place,
                "take one of them out",
            );
        }
        let is_own = table.dockerfile.is_some() || table.image.is_some();
        if table.health.is_some() && !is_own {
            let place = self.place("health");
            self.report(
                "`health` is the path of an image of your own: mdo's answers at `/-/health`",
                place,
                "take it out, or name a `dockerfile` or an `image`",
            );
        }
        let health = table.health.clone().unwrap_or_else(|| "/healthz".to_owned());
        match (&table.dockerfile, &table.image) {
            (Some(file), _) => {
                if !self.project.root.join(file).is_file() {
                    let place = self.place("dockerfile");
                    self.report(
                        format!("there is no file {file}"),
                        place,
                        "write the Dockerfile's path from the project's folder",
                    );
                }
                Container::Dockerfile { file: PathBuf::from(file), health }
            }
            (None, Some(reference)) => Container::Image { reference: reference.clone(), health },
            (None, None) => Container::Functions { base: self.base(table, functions) },
        }
    }

    fn base(
        &mut self,
        table: &ServerTable,
        functions: &BTreeMap<FunctionName, FunctionSettings>,
    ) -> Option<Base> {
        let Some(base) = &table.base else {
            for (name, function) in functions {
                let runtime = &function.configuration.runtime;
                if let Some(interpreter) = Interpreter::of(runtime) {
                    let place = self.of_function(name, "runtime");
                    self.report(
                        format!(
                            "function {name} runs on {runtime}, and no `base` brings {} into its container",
                            interpreter.program()
                        ),
                        place,
                        "name an image that has it under `[server]`: `base = \"…@sha256:…\"`",
                    );
                }
            }
            return None;
        };
        if !is_archive(base) {
            return Some(Base::Reference(base.clone()));
        }
        if !self.project.root.join(base).is_file() {
            let place = self.place("base");
            self.report(
                format!("there is no file {base}"),
                place,
                "write the archive's path from the project's folder, or a reference with a digest",
            );
        }
        Some(Base::Archive(PathBuf::from(base)))
    }

    fn functions(&mut self, functions: &BTreeMap<FunctionName, FunctionSettings>, size: TaskSize) {
        self.architectures(functions);
        for (name, function) in functions {
            let configuration = &function.configuration;
            for (index, route) in function.routes.iter().enumerate() {
                if route.security == Security::Iam {
                    let written = self.project.functions.get(name).map(|function| routes::of(name, function));
                    let place = written.and_then(|mut routes| {
                        (index < routes.len()).then(|| routes.swap_remove(index).place)
                    });
                    self.report(
                        format!(
                            "`{}` has the security `iam`, which a load balancer does not know",
                            route.route
                        ),
                        place,
                        format!("make it `key` or `open`, or serve stage {} without a server", self.stage),
                    );
                }
            }
            if !configuration.layers.is_empty() {
                let place = self.of_function(name, "layers");
                self.report(
                    format!("function {name} has layers, which a container cannot attach"),
                    place,
                    "bring what they hold as a derivative, or in the function's folder",
                );
            }
            let for_functions = size.memory.saturating_sub(OWN_MEMORY);
            if configuration.memory > for_functions {
                let place = self.of_function(name, "memory").or_else(|| self.place("memory"));
                self.report(
                    format!(
                        "function {name} has {} MB, and a task of {} MB leaves {for_functions} MB for functions",
                        configuration.memory, size.memory
                    ),
                    place,
                    match TaskSize::new(size.vcpu(), configuration.memory + OWN_MEMORY) {
                        Ok(fit) | Err(fit) => format!(
                            "give the tasks more under `[server]`: `cpu = {}` with `memory = {}`",
                            fit.vcpu(),
                            fit.memory
                        ),
                    },
                );
            }
        }
    }

    fn architectures(&mut self, functions: &BTreeMap<FunctionName, FunctionSettings>) {
        let mut first: Option<(&FunctionName, Architecture)> = None;
        for (name, function) in functions {
            let architecture = function.configuration.architecture;
            match first {
                None => first = Some((name, architecture)),
                Some((other, known)) if known != architecture => {
                    let place = self.of_function(name, "architecture");
                    self.report(
                        format!(
                            "function {name} is built for {architecture} and {other} for {known}: one container runs both"
                        ),
                        place,
                        "build both for one architecture",
                    );
                    return;
                }
                Some(_) => {}
            }
        }
    }

    fn quota(&mut self, table: &StageTable) {
        let own = table.api.quota.map(|quota| (quota, vec!["stages", self.stage.as_str(), "api", "quota"]));
        let base = self.project.manifest.api.quota.map(|quota| (quota, vec!["api", "quota"]));
        let Some((OrOff::On(_), path)) = own.or(base) else { return };
        let place = self.project.document.key_place(&path);
        self.report(
            format!("stage {} is hosted by servers, which count no `quota`", self.stage),
            place,
            format!("switch it off there: `[stages.{}.api]` with `quota = false`", self.stage),
        );
    }

    fn secrets(
        &mut self,
        table: &ServerTable,
        functions: &BTreeMap<FunctionName, FunctionSettings>,
    ) -> BTreeMap<String, ServerSecret> {
        let secrets = table.secrets.clone().unwrap_or_default();
        for variable in secrets.keys() {
            let set = functions
                .iter()
                .find(|(_, function)| function.configuration.environment.contains_key(variable));
            if let Some((name, _)) = set {
                let place = self.place("secrets");
                self.report(
                    format!(
                        "{variable} is a secret of the server, and the environment of function {name} sets it"
                    ),
                    place,
                    "take one of them out",
                );
            }
        }
        secrets.into_iter().map(|(variable, text)| (variable, ServerSecret::read(&text))).collect()
    }

    fn subnets(&mut self, table: &ServerTable) -> Option<BTreeSet<String>> {
        let subnets: BTreeSet<String> = table.subnets.clone()?.into_iter().collect();
        if subnets.len() < 2 {
            let place = self.place("subnets");
            self.report(
                "a load balancer needs subnets in two zones, and `subnets` has one",
                place,
                "name another one in another zone of the same VPC",
            );
        }
        Some(subnets)
    }
}
