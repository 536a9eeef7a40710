//! `stack.json`: what an image serves, the same for every stage. It holds nothing secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::reading::{Unreadable, read};
use super::{CODE_FOLDER, FORMAT};
use crate::Sha256;
use crate::project::{
    Architecture, FunctionConfiguration, FunctionName, MediaType, ProjectName, Route, Security, Tracing,
};
use crate::stack::{ApiRoute, Definition};

/// What an image serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenStack {
    /// [`FORMAT`].
    pub format: u32,
    /// The project.
    pub project: ProjectName,
    /// The routes.
    pub routes: BTreeMap<Route, FrozenRoute>,
    /// Whether each path answers a browser's preflight request, and error responses carry CORS headers.
    #[serde(default)]
    pub cors: bool,
    /// The types of bodies that functions get and give in Base64.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub binary_media_types: BTreeSet<MediaType>,
    /// The functions.
    pub functions: BTreeMap<FunctionName, FrozenFunction>,
}

/// What a route calls and who may call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenRoute {
    /// The function.
    pub function: FunctionName,
    /// Who may call it.
    pub security: Security,
    /// How long the function may take to answer, in milliseconds.
    pub timeout_ms: u32,
}

/// A function of an image. Its environment is the stage's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenFunction {
    /// The folder of its code; a relative one is below the folder of `stack.json`.
    pub code: PathBuf,
    /// The SHA-256 of the zip that the code was unpacked from.
    pub sha256: Sha256,
    /// The folders of its derivatives, in the order of their search.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derivatives: Vec<PathBuf>,
    /// Lambda's name of the runtime.
    pub runtime: String,
    /// What Lambda's `_HANDLER` says.
    pub handler: String,
    /// The instruction set of its code.
    pub architecture: Architecture,
    /// Memory in MB.
    pub memory: u32,
    /// Timeout in seconds.
    pub timeout: u32,
    /// The most sandboxes that each task gives it, if it has reserved concurrency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// X-Ray tracing.
    #[serde(default)]
    pub tracing: Tracing,
}

impl FrozenStack {
    /// What a definition and functions come to.
    pub fn new(
        project: ProjectName,
        definition: &Definition,
        functions: BTreeMap<FunctionName, FrozenFunction>,
    ) -> Self {
        let routes = definition.routes.iter().map(|(route, target)| {
            let ApiRoute { function, security, timeout_ms } = target.clone();
            (route.clone(), FrozenRoute { function, security, timeout_ms })
        });
        Self {
            format: FORMAT,
            project,
            routes: routes.collect(),
            cors: definition.cors,
            binary_media_types: definition.binary_media_types.clone(),
            functions,
        }
    }

    /// Reads what [`FrozenStack::to_json`] wrote.
    ///
    /// # Errors
    /// When it is not that, or its parts do not fit together.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let stack: Self = read(text)?;
        for (route, target) in &stack.routes {
            let function = &target.function;
            if !stack.functions.contains_key(function) {
                let why =
                    format!("the route `{route}` calls the function {function}, which is not in the file");
                return Err(Unreadable::Contradiction(why));
            }
            if target.security == Security::Iam {
                let why =
                    format!("the route `{route}` asks for a signature of IAM, which a server cannot verify");
                return Err(Unreadable::Contradiction(why));
            }
        }
        Ok(stack)
    }

    /// The document: the same bytes for the same stack.
    pub fn to_json(&self) -> Vec<u8> {
        // Its maps have texts as keys and its numbers are whole, so that there is nothing that JSON could not say.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// What the API answers.
    pub fn definition(&self) -> Definition {
        let routes = self.routes.iter().map(|(route, target)| {
            let FrozenRoute { function, security, timeout_ms } = target.clone();
            (route.clone(), ApiRoute { function, security, timeout_ms })
        });
        Definition {
            description: String::new(),
            routes: routes.collect(),
            cors: self.cors,
            binary_media_types: self.binary_media_types.clone(),
        }
    }
}

impl FrozenFunction {
    /// A function as an image has it: unpacked from the zip with this digest to a folder of its own.
    pub fn new(name: &FunctionName, configuration: &FunctionConfiguration, sha256: Sha256) -> Self {
        Self {
            code: PathBuf::from(CODE_FOLDER).join(name.as_str()),
            sha256,
            derivatives: Vec::new(),
            runtime: configuration.runtime.clone(),
            handler: configuration.handler.clone(),
            architecture: configuration.architecture,
            memory: configuration.memory,
            timeout: configuration.timeout,
            concurrency: None,
            tracing: configuration.tracing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> FrozenStack {
        let name: FunctionName = "echo".parse().unwrap();
        let target = ApiRoute { function: name.clone(), security: Security::Key, timeout_ms: 29_000 };
        let definition = Definition {
            routes: BTreeMap::from([("GET /echo".parse().unwrap(), target)]),
            ..Definition::default()
        };
        let function = FrozenFunction::new(&name, &FunctionConfiguration::default(), Sha256::of(b"the zip"));
        FrozenStack::new("shop".parse().unwrap(), &definition, BTreeMap::from([(name, function)]))
    }

    fn refusal(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut document = serde_json::to_value(stack()).unwrap();
        change(&mut document);
        FrozenStack::read(document.to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_and_has_one_spelling() {
        let written = stack().to_json();
        assert_eq!(FrozenStack::read(&written).unwrap(), stack());
        assert_eq!(
            String::from_utf8(written).unwrap(),
            format!(
                r#"{{
  "format": 1,
  "project": "shop",
  "routes": {{
    "GET /echo": {{
      "function": "echo",
      "security": "key",
      "timeout_ms": 29000
    }}
  }},
  "cors": false,
  "functions": {{
    "echo": {{
      "code": "/srv/echo",
      "sha256": "{}",
      "runtime": "provided.al2023",
      "handler": "bootstrap",
      "architecture": "x86_64",
      "memory": 128,
      "timeout": 30,
      "tracing": "passthrough"
    }}
  }}
}}
"#,
                Sha256::of(b"the zip")
            )
        );
    }

    #[test]
    fn an_unknown_key_is_named_wherever_it_is() {
        let places: [fn(&mut serde_json::Value); 3] = [
            |document| document["frobnicate"] = "hush-hush".into(),
            |document| document["routes"]["GET /echo"]["frobnicate"] = "hush-hush".into(),
            |document| document["functions"]["echo"]["frobnicate"] = "hush-hush".into(),
        ];
        for place in places {
            let refusal = refusal(place);
            assert!(refusal.starts_with("unknown key `frobnicate` at line 1, column "), "{refusal}");
        }
    }

    #[test]
    fn another_format_is_the_first_thing_that_is_said() {
        let why =
            "its format is 2, this server reads format 1: write it with the mdo that this server belongs to";
        assert_eq!(
            refusal(|document| {
                document["format"] = 2.into();
                document["frobnicate"] = true.into();
            }),
            why
        );
    }

    #[test]
    fn what_could_never_answer_is_refused() {
        assert_eq!(
            refusal(|document| document["routes"]["GET /echo"]["function"] = "other".into()),
            "the route `GET /echo` calls the function other, which is not in the file"
        );
        assert_eq!(
            refusal(|document| document["routes"]["GET /echo"]["security"] = "iam".into()),
            "the route `GET /echo` asks for a signature of IAM, which a server cannot verify"
        );
    }
}
