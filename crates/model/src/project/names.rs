//! What everything is called on a provider: the one place that composes names.

use sha2::Digest;

use super::{DerivativeId, FunctionName, KeyName, ProjectName, StageName};

/// The names of one stack's resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The project, which prefixes every name.
    pub project: ProjectName,
    /// The stage.
    pub stage: StageName,
}

impl Names {
    /// The longest name that Lambda, IAM and EventBridge accept, in characters.
    pub const LIMIT: usize = 64;

    /// The role that Lambda assumes for every function of the project.
    pub fn role(&self) -> String {
        format!("{}_lambda_function", self.project)
    }

    /// A function.
    pub fn function(&self, function: &FunctionName) -> String {
        format!("{}_{function}", self.project)
    }

    /// Reads a function's short name back from its name on the provider.
    pub fn function_of(&self, name: &str) -> Option<FunctionName> {
        name.strip_prefix(self.project.as_str())?.strip_prefix('_')?.parse().ok()
    }

    /// The layer of a derivative; further parts of one that is too large for a single layer have their number behind it.
    pub fn layer(&self, derivative: &DerivativeId) -> String {
        self.layer_part(derivative, 1)
    }

    /// The layer of one part of a derivative, from 1.
    pub fn layer_part(&self, derivative: &DerivativeId, part: usize) -> String {
        format!("{}_{}", self.project, Self::part(derivative, part))
    }

    /// One part of a derivative, whichever project's: `sklearn-python3_13-x86_64`, `sklearn-python3_13-x86_64-2`.
    pub fn part(derivative: &DerivativeId, part: usize) -> String {
        match part {
            1 => derivative.to_string(),
            _ => format!("{derivative}-{part}"),
        }
    }

    /// Reads a derivative and the number of its part, from 1, back from the name of a layer.
    pub fn layer_of(&self, name: &str) -> Option<(DerivativeId, usize)> {
        let name = name.strip_prefix(self.project.as_str())?.strip_prefix('_')?;
        let part = || {
            let (first, part) = name.rsplit_once('-')?;
            Some((first.parse().ok()?, part.parse().ok().filter(|part| *part > 1)?))
        };
        name.parse().ok().map(|id| (id, 1)).or_else(part)
    }

    /// The REST API.
    pub fn api(&self) -> String {
        self.project.to_string()
    }

    /// The usage plan of the stage.
    pub fn usage_plan(&self) -> String {
        format!("{}-{}", self.project, self.stage)
    }

    /// An API key of the stage.
    pub fn key(&self, key: &KeyName) -> String {
        format!("{}-{}-{key}", self.project, self.stage)
    }

    /// Reads a key's short name back from its name on the provider.
    pub fn key_of(&self, name: &str) -> Option<KeyName> {
        name.strip_prefix(&self.usage_plan())?.strip_prefix('-')?.parse().ok()
    }

    /// The rule that keeps a function warm. Neither functions nor stages have dots in their names, so that no two of
    /// them share a rule.
    pub fn warm_rule(&self, function: &FunctionName) -> String {
        format!("{}_{function}.{}.warm", self.project, self.stage)
    }

    /// What earlier versions called the same rule. Function `a` at stage `b-c` and function `a-b` at stage `c` shared one.
    pub fn former_warm_rule(&self, function: &FunctionName) -> String {
        format!("{}_{function}-{}-warm", self.project, self.stage)
    }

    /// Reads a function's short name back from the name of its warm rule at this stage, the former one included.
    pub fn warm_rule_of(&self, name: &str) -> Option<FunctionName> {
        let stage = self.stage.as_str();
        let current = || name.strip_suffix(".warm")?.strip_suffix(stage)?.strip_suffix('.');
        let former = || name.strip_suffix("-warm")?.strip_suffix(stage)?.strip_suffix('-');
        self.function_of(current().or_else(former)?)
    }

    /// The log group of a function.
    pub fn log_group(&self, function: &FunctionName) -> String {
        format!("/aws/lambda/{}", self.function(function))
    }

    /// The statement that lets the API's stage call an alias.
    pub fn api_statement(&self) -> String {
        format!("mdo-api-{}", self.stage)
    }

    /// The statement that lets the warm rule call an alias.
    pub fn warm_statement(&self) -> String {
        format!("mdo-warm-{}", self.stage)
    }

    /// The role that starts the tasks of hosted stages.
    pub fn server_role(&self) -> String {
        format!("{}_server", self.project)
    }

    /// The repository of the images of hosted stages. ECR takes small letters, and one separator at a time.
    pub fn repository(&self) -> String {
        let small = self.project.as_str().to_lowercase();
        let is_fine = small.split(['_', '-']).all(|part| !part.is_empty());
        if is_fine { small } else { shortened(&small, usize::MAX) }
    }

    /// The load balancer of hosted stages. Elastic Load Balancing takes letters, digits and `-`.
    pub fn load_balancer(&self) -> String {
        shortened(self.project.as_str(), Self::SHORT)
    }

    /// The group of what the load balancer asks for the stage.
    pub fn target_group(&self) -> String {
        shortened(&self.service(), Self::SHORT)
    }

    /// The longest name that Elastic Load Balancing accepts, in characters.
    const SHORT: usize = 32;

    /// The security group of the load balancer.
    pub fn load_balancer_group(&self) -> String {
        format!("{}-lb", self.project)
    }

    /// The cluster of hosted stages.
    pub fn cluster(&self) -> String {
        self.project.to_string()
    }

    /// The service of a hosted stage, and the family of its task definitions; its security group is called the same.
    pub fn service(&self) -> String {
        format!("{}-{}", self.project, self.stage)
    }

    /// The stage of a service of the project's cluster; nothing where it is none of a hosted stage.
    pub fn stage_of_service(&self, service: &str) -> Option<StageName> {
        service.strip_prefix(self.project.as_str())?.strip_prefix('-')?.parse().ok()
    }

    /// The log group of a hosted stage.
    pub fn server_log_group(&self) -> String {
        format!("/mdo/{}/{}", self.project, self.stage)
    }
}

/// A name in small letters, digits and single `-`. One of which something was left out ends in a part of its digest.
fn shortened(name: &str, most: usize) -> String {
    let plain: Vec<String> = name
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let plain = plain.join("-");
    let is_whole = plain.len() <= most && plain.len() == name.len();
    if is_whole {
        return plain;
    }
    let digest: String =
        sha2::Sha256::digest(name).iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = plain.chars().take(most.min(64).saturating_sub(digest.len() + 1)).collect();
    format!("{}-{digest}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(project: &str, stage: &str) -> Names {
        Names { project: project.parse().unwrap(), stage: stage.parse().unwrap() }
    }

    #[test]
    fn names_fit_what_each_service_takes() {
        let usual = names("ml_api", "prod");
        assert_eq!(usual.load_balancer(), "ml-api");
        assert_eq!(usual.target_group(), "ml-api-prod");
        assert_eq!(usual.repository(), "ml_api");
        let odd = names("Ml__Api_", "prod");
        assert_eq!(odd.load_balancer(), "ml-api-251f32");
        assert_eq!(odd.repository(), "ml-api-2642e2");
        let long = names(&"p".repeat(32), &"s".repeat(32));
        assert_eq!(long.load_balancer().len(), 32);
        assert_eq!(long.target_group().len(), 32);
        assert_ne!(long.target_group(), names(&"p".repeat(32), "other").target_group());
    }
}
