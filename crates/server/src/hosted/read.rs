//! What a container serves, read from its image and its environment, and checked as far as that is possible before the first request.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use mdo_model::hosted::{FrozenFunction, FrozenStack, FrozenStage, OWN_MEMORY, STAGE_VARIABLE};
use mdo_model::project::{Architecture, FunctionName, Interpreter, Names, Security};

use crate::runtime::on_path;

/// The variables by which code in a container of ECS finds its role and its region. Functions get them as they are.
const OF_THE_TASK: [&str; 5] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_REGION",
];

/// What a container serves.
#[derive(Debug)]
pub struct Hosted {
    /// What its image holds; the folders of its functions are absolute.
    pub(super) stack: FrozenStack,
    /// What its stage adds.
    pub(super) stage: FrozenStage,
    /// The region, if the container is told.
    pub(super) region: Option<String>,
}

/// Why nothing can be served. It repeats no value of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unservable(String);

impl fmt::Display for Unservable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unservable {}

impl Hosted {
    /// Reads the file at `path` and `MDO_STAGE`. `variable` looks a variable of the environment up.
    ///
    /// # Errors
    /// When one of them is not there or not what it should be, or a function could never run.
    pub fn read(path: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Unservable> {
        let fault = |why: String| Unservable(format!("cannot serve {}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let mut stack = FrozenStack::read(&text).map_err(|why| fault(why.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let absolute =
            |below: &Path| std::path::absolute(folder.join(below)).unwrap_or_else(|_| below.into());
        for function in stack.functions.values_mut() {
            function.code = absolute(&function.code);
            function.derivatives.iter_mut().for_each(|derivative| *derivative = absolute(derivative));
        }
        let stage = stage(variable(STAGE_VARIABLE))?;
        let region = variable("AWS_REGION").and_then(|region| region.into_string().ok());
        let hosted = Self { stack, stage, region };
        hosted.check_stage(&variable)?;
        for (name, function) in &hosted.stack.functions {
            hosted.check_function(name, function).map_err(fault)?;
        }
        Ok(hosted)
    }

    fn check_stage(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<(), Unservable> {
        let fault = |why: String| Err(Unservable(format!("{STAGE_VARIABLE}: {why}")));
        if let Some(name) =
            self.stage.environment.keys().find(|name| !self.stack.functions.contains_key(*name))
        {
            return fault(format!("it has an environment for function {name}, which is not in the image"));
        }
        if let Some(name) = self.stage.secrets.iter().find(|name| variable(name).is_none()) {
            return fault(format!("the container's environment has no {name}, which functions are to get"));
        }
        let is_keyed = self.stack.routes.values().any(|route| route.security == Security::Key);
        if is_keyed && self.stage.keys.is_empty() {
            return fault("it has no key, and a route needs one: nobody could call it".to_owned());
        }
        Ok(())
    }

    /// What would fail at the first request only.
    fn check_function(&self, name: &FunctionName, function: &FrozenFunction) -> Result<(), String> {
        let missing = |what: &str, folder: &Path| {
            Err(format!("the {what} of function {name} is not at {}", folder.display()))
        };
        if !function.code.is_dir() {
            return missing("code", &function.code);
        }
        if let Some(derivative) = function.derivatives.iter().find(|derivative| !derivative.is_dir()) {
            return missing("derivative", derivative);
        }
        if let Some(own) = Architecture::of_this_machine().filter(|own| *own != function.architecture) {
            let built_for = function.architecture;
            return Err(format!("function {name} is built for {built_for}, and this server for {own}"));
        }
        if let Some(interpreter) = Interpreter::of(&function.runtime) {
            let program = interpreter.program();
            if !on_path(&program).is_absolute() {
                return Err(format!(
                    "function {name} runs on {}, and there is no {program} on the PATH: build the image on a base that has it",
                    function.runtime
                ));
            }
        } else if !function.runtime.starts_with("provided") {
            let runtime = &function.runtime;
            return Err(format!(
                "function {name} runs on {runtime}: a server runs a bootstrap, Python and Node.js only"
            ));
        }
        match self.memory_of_functions() {
            Some(memory) if function.memory > memory => {
                let (wanted, task) = (function.memory, self.stage.memory.unwrap_or_default());
                Err(format!(
                    "function {name} has {wanted} MB, and a task of {task} MB leaves {memory} MB to functions: give the task at least \
                     {} MB",
                    wanted + OWN_MEMORY
                ))
            }
            _ => Ok(()),
        }
    }

    /// Project and stage.
    pub fn names(&self) -> Names {
        Names { project: self.stack.project.clone(), stage: self.stage.stage.clone() }
    }

    /// What the sandboxes of all functions may take together, in MB.
    pub(super) fn memory_of_functions(&self) -> Option<u32> {
        self.stage.memory.map(|memory| memory.saturating_sub(OWN_MEMORY))
    }

    /// The variables of this process that functions get.
    pub(super) fn inherited(&self) -> Vec<String> {
        OF_THE_TASK.into_iter().map(str::to_owned).chain(self.stage.secrets.iter().cloned()).collect()
    }

    /// The longest time that a function may take, in seconds: what is begun is finished by then.
    pub(super) fn longest_timeout(&self) -> u32 {
        self.stack.functions.values().map(|function| function.timeout).max().unwrap_or(0)
    }
}

fn stage(given: Option<OsString>) -> Result<FrozenStage, Unservable> {
    let fault = |why: &str| Unservable(format!("{STAGE_VARIABLE}: {why}"));
    let text = given.ok_or_else(|| {
        fault(r#"it is not set; it says which stage this is, as in {"format":1,"stage":"dev"}"#)
    })?;
    let text = text.to_str().ok_or_else(|| fault("it is not UTF-8"))?;
    FrozenStage::read(text).map_err(|why| fault(&why.to_string()))
}
