//! What Lambda is told of a function: the settings that files, the stack and the requests to a provider share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::runtime::DEFAULT_RUNTIME;
use super::{Architecture, DerivativeId, DerivativeName, Secret, Tracing, Vpc};

/// The configuration of a function that a version freezes, its code and its role apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionConfiguration {
    /// Free text.
    pub description: String,
    /// Lambda's name of the runtime, such as `provided.al2023`.
    pub runtime: String,
    /// What Lambda's `_HANDLER` says.
    pub handler: String,
    /// The instruction set of its code.
    pub architecture: Architecture,
    /// Memory in MB, 128 to 10,240.
    pub memory: u32,
    /// Timeout in seconds, 1 to 900.
    pub timeout: u32,
    /// `/tmp` in MB, 512 to 10,240.
    pub ephemeral_storage: u32,
    /// The environment.
    pub environment: BTreeMap<String, Secret>,
    /// The network that it runs in; its ids are sorted, because their order means nothing.
    pub vpc: Option<Vpc>,
    /// ARNs of layer versions, in order.
    pub layers: Vec<String>,
    /// X-Ray tracing.
    pub tracing: Tracing,
    /// The ARN of the queue or topic for failed asynchronous events.
    pub deadletter_arn: Option<String>,
    /// The ARN of the key that encrypts the environment.
    pub kms_arn: Option<String>,
}

impl FunctionConfiguration {
    /// What a derivative is for a function that is configured so.
    pub fn derivative_id(&self, name: &DerivativeName) -> DerivativeId {
        DerivativeId { name: name.clone(), runtime: self.runtime.clone(), architecture: self.architecture }
    }
}

impl Default for FunctionConfiguration {
    /// What a function whose files say nothing has.
    fn default() -> Self {
        Self {
            description: String::new(),
            runtime: DEFAULT_RUNTIME.to_owned(),
            handler: "bootstrap".to_owned(),
            architecture: Architecture::default(),
            memory: 128,
            timeout: 30,
            ephemeral_storage: 512,
            environment: BTreeMap::new(),
            vpc: None,
            layers: Vec::new(),
            tracing: Tracing::default(),
            deadletter_arn: None,
            kms_arn: None,
        }
    }
}
