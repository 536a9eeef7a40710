//! The stack as Terraform in JSON syntax, whose texts are templates: what is the user's own is escaped, what refers to a resource is not.

mod api;
mod balancer;
mod server;

use std::collections::BTreeSet;

use mdo_model::project::{
    DerivativeId, FunctionConfiguration, FunctionName, Names, Permissions, Reference, Referred, Tags, Vpc,
};
use mdo_model::stack::{Api, Derivative, Function, Invoker, LogGroup, Role, Stack, WarmRule};
use serde_json::{Map, Value, json};

use super::ids::Ids;
use super::server::Hosting;
use super::text::{self, ACCOUNT, ANYWHERE, PARTITION, REGION};
use super::{Export, ReferredVariables, input, set, shared_variables};
use crate::{events, iam, lambda};

/// The name of what a stage has one of.
const ONE: &str = "this";

/// The configuration of a stack.
pub fn terraform(export: &Export<'_>) -> Value {
    // Zips are files beside the configuration.
    let Export { stack, names, artifacts: _, referred, domain } = *export;
    let Stack {
        role,
        permissions,
        derivatives,
        log_groups,
        functions,
        api,
        stage,
        keys,
        warm_rules,
        // Together they are what hosts the stage.
        server_role: _,
        repository: _,
        load_balancer: _,
        server: _,
    } = stack;
    let mut configuration = Configuration::new(names, shared_variables(stack), referred);
    if let Some(hosting) = Hosting::of(stack) {
        configuration.shared_hosting(&hosting);
        configuration.server(&hosting, keys, domain);
        return configuration.document();
    }
    for (id, Derivative { inputs: _ }) in derivatives {
        let variable = configuration.layers_of(id);
        let what = format!("The ARNs of the layer versions of derivative {id}");
        configuration.variable(&variable, json!({"type": "list(string)", "description": what}));
    }
    if let Some(role) = role {
        configuration.role(role, permissions.as_ref());
    }
    for (name, group) in log_groups {
        configuration.log_group(name, group);
    }
    for (name, function) in functions {
        configuration.function(name, function, log_groups.contains_key(name));
    }
    if let (Some(Api { owned: _, tags }), Some(stage)) = (api, stage) {
        configuration.api(stage, tags);
    }
    for (name, key) in keys {
        configuration.key(name.as_str(), &names.key(name), key);
    }
    for (name, rule) in warm_rules {
        configuration.warm_rule(name, rule);
    }
    configuration.document()
}

struct Configuration<'a> {
    names: &'a Names,
    shared: BTreeSet<&'a str>,
    referred: &'a ReferredVariables,
    ids: Ids,
    variables: Map<String, Value>,
    /// By type and name.
    resources: Map<String, Value>,
    /// What is looked up, by type and name.
    data: Map<String, Value>,
    /// What several resources refer to, by name.
    locals: Map<String, Value>,
    outputs: Map<String, Value>,
}

impl<'a> Configuration<'a> {
    fn new(names: &'a Names, shared: BTreeSet<&'a str>, referred: &'a ReferredVariables) -> Self {
        let (ids, variables, resources, data, locals, outputs) = Default::default();
        Self { names, shared, referred, ids, variables, resources, data, locals, outputs }
    }

    fn document(self) -> Value {
        let aws = json!({"source": "hashicorp/aws", "version": ">= 5.0"});
        let one = json!({ONE: {}});
        let mut document = json!({
            "terraform": {"required_providers": {"aws": aws}},
            "data": {"aws_caller_identity": one, "aws_partition": one, "aws_region": one},
            "resource": self.resources,
        });
        for (kind, sources) in self.data {
            document["data"][kind] = sources;
        }
        for (section, entries) in
            [("output", self.outputs), ("variable", self.variables), ("locals", self.locals)]
        {
            if !entries.is_empty() {
                document[section] = entries.into();
            }
        }
        document
    }

    fn id(&mut self, words: &[&str]) -> String {
        let text: String = words.join("_");
        let word = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' };
        self.ids.name(&text.chars().map(word).collect::<String>(), words)
    }

    fn resource(&mut self, kind: &str, id: &str, properties: Value) -> &mut Value {
        let of_kind = self.resources.entry(kind).or_insert_with(|| json!({}));
        of_kind[id] = properties;
        &mut of_kind[id]
    }

    fn variable(&mut self, name: &str, mut variable: Value) {
        if let Some(text) = variable["description"].as_str() {
            variable["description"] = json!(literal(text));
        }
        self.variables.insert(name.to_owned(), variable);
    }

    fn layers_of(&mut self, id: &DerivativeId) -> String {
        self.id(&["layers", &id.to_string()])
    }

    fn role(&mut self, role: &Role, permissions: Option<&Permissions>) {
        let Role { trusted_service, log_groups: _, grants: _, boundary, tags } = role;
        let mut properties = json!({
            "name": self.names.role(),
            "description": iam::description(self.names),
            "assume_role_policy": literal(&iam::trust(trusted_service).to_string()),
        });
        set(&mut properties, "permissions_boundary", boundary.as_deref().map(literal));
        set(&mut properties, "tags", tag_map(tags));
        self.resource("aws_iam_role", ONE, properties);
        let mut policy = escaped(iam::role_policy(role, ANYWHERE));
        text::change(&mut policy, text::RESOURCE, &filled_in);
        self.role_policy("mdo", iam::POLICY, &policy);
        let Some(permissions) = permissions else { return };
        let statements: Vec<Value> = iam::allowed(permissions).collect();
        if !statements.is_empty() {
            let document = escaped(json!({"Version": "2012-10-17", "Statement": statements}));
            self.role_policy("permissions", &iam::stage_policy_name(self.names), &document);
        }
        if !permissions.policies.is_empty() {
            let arns: Vec<String> = permissions.policies.iter().map(|arn| literal(arn)).collect();
            let properties = json!({
                "for_each": format!("${{toset({})}}", json!(arns)),
                "role": reference("aws_iam_role", ONE, "name"),
                "policy_arn": "${each.value}",
            });
            self.resource("aws_iam_role_policy_attachment", "permissions", properties);
        }
    }

    fn role_policy(&mut self, id: &str, name: &str, document: &Value) {
        let role = reference("aws_iam_role", ONE, "id");
        let properties = json!({"name": name, "role": role, "policy": document.to_string()});
        self.resource("aws_iam_role_policy", id, properties);
    }

    fn log_group(&mut self, name: &FunctionName, group: &LogGroup) {
        let LogGroup { retention_days, tags } = group;
        let mut properties = json!({"name": self.names.log_group(name)});
        set(&mut properties, "retention_in_days", *retention_days);
        set(&mut properties, "tags", tag_map(tags));
        self.resource("aws_cloudwatch_log_group", name.as_str(), properties);
    }

    fn function(&mut self, name: &FunctionName, function: &Function, has_log_group: bool) {
        let Function {
            configuration,
            role,
            concurrency,
            code: _,
            derivatives,
            invokers,
            owned: _,
            canary: _,
            tags,
        } = function;
        let is_own_role = *role == self.names.role();
        let own_role = || reference("aws_iam_role", ONE, "arn");
        let zip = self.id(&[name.as_str(), "zip"]);
        let what = format!("The file of the zip of {name}");
        let default = format!("{name}.zip");
        self.variable(&zip, json!({"type": "string", "description": what, "default": default}));
        let mut properties = self.configured(name, configuration);
        properties["function_name"] = json!(self.names.function(name));
        properties["role"] = json!(if is_own_role { own_role() } else { literal(role) });
        properties["filename"] = json!(format!("${{var.{zip}}}"));
        properties["source_code_hash"] = json!(format!("${{filebase64sha256(var.{zip})}}"));
        properties["publish"] = json!(true);
        set(&mut properties, "reserved_concurrent_executions", *concurrency);
        set(&mut properties, "tags", tag_map(tags));
        let layers = &configuration.layers;
        let own: Vec<String> = layers.iter().map(|arn| literal(arn)).collect();
        let mut lists = vec![json!(own).to_string()];
        for derivative in derivatives.keys() {
            lists.push(format!("var.{}", self.layers_of(&configuration.derivative_id(derivative))));
        }
        if !derivatives.is_empty() {
            properties["layers"] = json!(format!("${{concat({})}}", lists.join(", ")));
        } else if !own.is_empty() {
            properties["layers"] = json!(own);
        }
        // Lambda would make a group that keeps logs for ever, and refuses a role that may not yet do what a function needs.
        let group = has_log_group.then(|| format!("aws_cloudwatch_log_group.{name}"));
        let policy = is_own_role.then(|| "aws_iam_role_policy.mdo".to_owned());
        properties["depends_on"] = group.into_iter().chain(policy).collect();
        self.resource("aws_lambda_function", name.as_str(), properties);
        let properties = json!({
            "name": self.names.stage,
            "function_name": reference("aws_lambda_function", name.as_str(), "function_name"),
            "function_version": reference("aws_lambda_function", name.as_str(), "version"),
        });
        self.resource("aws_lambda_alias", name.as_str(), properties);
        for invoker in invokers {
            self.permission(name, *invoker);
        }
    }

    fn configured(&mut self, name: &FunctionName, configuration: &FunctionConfiguration) -> Value {
        let FunctionConfiguration {
            description,
            runtime,
            handler,
            architecture,
            memory,
            timeout,
            ephemeral_storage,
            environment,
            vpc,
            layers: _,
            tracing,
            deadletter_arn,
            kms_arn,
        } = configuration;
        let mode = lambda::tracing_mode(*tracing);
        let mut properties = json!({
            "runtime": literal(runtime),
            "handler": literal(handler),
            "architectures": [architecture.as_str()],
            "memory_size": memory,
            "timeout": timeout,
            "ephemeral_storage": {"size": ephemeral_storage},
            "tracing_config": {"mode": mode.as_str()},
        });
        set(&mut properties, "description", (!description.is_empty()).then(|| literal(description)));
        set(&mut properties, "kms_key_arn", kms_arn.as_deref().map(literal));
        let target = deadletter_arn.as_deref().map(|arn| json!({"target_arn": literal(arn)}));
        set(&mut properties, "dead_letter_config", target);
        let network = vpc.as_ref().map(|Vpc { subnets, security_groups }| {
            escaped(json!({"subnet_ids": subnets, "security_group_ids": security_groups}))
        });
        set(&mut properties, "vpc_config", network);
        let mut variables = Map::new();
        for key in environment.keys() {
            let referred = self.referred.get(name).and_then(|all| all.get(key));
            let value = match referred {
                Some(referred) => self.looked_up(referred),
                None => format!("${{var.{}}}", self.input(name, key)),
            };
            variables.insert(key.clone(), json!(value));
        }
        let variables = (!variables.is_empty()).then(|| json!({"variables": variables}));
        set(&mut properties, "environment", variables);
        properties
    }

    /// What stands for a value that is kept elsewhere.
    fn looked_up(&mut self, Referred { reference, by_function, .. }: &Referred) -> String {
        if *by_function {
            return literal(&reference.to_string());
        }
        let (kind, asked) = match reference {
            Reference::Parameter(name) => ("aws_ssm_parameter", json!({"name": literal(name)})),
            Reference::Managed { secret, .. } => {
                ("aws_secretsmanager_secret_version", json!({"secret_id": literal(secret)}))
            }
        };
        let id = self.id(&[kind, reference.name()]);
        self.data.entry(kind).or_insert_with(|| json!({}))[&id] = asked;
        match reference {
            Reference::Parameter(_) => format!("${{data.{kind}.{id}.value}}"),
            Reference::Managed { key: None, .. } => format!("${{data.{kind}.{id}.secret_string}}"),
            Reference::Managed { key: Some(key), .. } => {
                let key = literal(&json!(key).to_string());
                format!("${{jsondecode(data.{kind}.{id}.secret_string)[{key}]}}")
            }
        }
    }

    /// The variable of the configuration for one of a function's environment.
    fn input(&mut self, function: &FunctionName, key: &str) -> String {
        let (words, what) = input(&self.shared, function, key);
        let variable = self.id(&words);
        self.variable(&variable, json!({"type": "string", "description": what, "sensitive": true}));
        variable
    }

    fn permission(&mut self, name: &FunctionName, invoker: Invoker) {
        let names = self.names;
        let (principal, source, statement, word) = match invoker {
            Invoker::Api => {
                let execution = reference("aws_api_gateway_rest_api", ONE, "execution_arn");
                let source = format!("{execution}/{}/*/*", names.stage);
                ("apigateway.amazonaws.com", source, names.api_statement(), "api")
            }
            Invoker::WarmRule => {
                let source = reference("aws_cloudwatch_event_rule", name.as_str(), "arn");
                ("events.amazonaws.com", source, names.warm_statement(), "warm")
            }
        };
        let properties = json!({
            "statement_id": statement,
            "action": "lambda:InvokeFunction",
            "function_name": reference("aws_lambda_function", name.as_str(), "function_name"),
            "qualifier": reference("aws_lambda_alias", name.as_str(), "name"),
            "principal": principal,
            "source_arn": source,
        });
        let id = self.id(&[name.as_str(), word]);
        self.resource("aws_lambda_permission", &id, properties);
    }

    fn warm_rule(&mut self, function: &FunctionName, rule: &WarmRule) {
        let WarmRule { name, rate, concurrency, enabled, input, tags } = rule;
        let mut properties = json!({
            "name": name,
            "description": events::description(self.names, function),
            "state": if *enabled { "ENABLED" } else { "DISABLED" },
        });
        set(&mut properties, "schedule_expression", rate.map(mdo_model::project::Rate::schedule_expression));
        set(&mut properties, "tags", tag_map(tags));
        self.resource("aws_cloudwatch_event_rule", function.as_str(), properties);
        for target in (1..=*concurrency).map(events::target_id) {
            let properties = json!({
                "rule": reference("aws_cloudwatch_event_rule", function.as_str(), "name"),
                "target_id": target,
                "arn": reference("aws_lambda_alias", function.as_str(), "arn"),
                "input": literal(&input.to_string()),
            });
            let id = self.id(&[function.as_str(), &target]);
            self.resource("aws_cloudwatch_event_target", &id, properties);
        }
    }
}

/// What refers to an attribute of a resource.
fn reference(kind: &str, id: &str, attribute: &str) -> String {
    format!("${{{kind}.{id}.{attribute}}}")
}

/// The project's own tags, where there are any.
fn tag_map(tags: &Tags) -> Option<Value> {
    (!tags.is_empty()).then(|| escaped(json!(tags)))
}

/// A text that stands for itself.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// A document whose texts stand for themselves.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => json!(literal(&text)),
        Value::Array(items) => items.into_iter().map(escaped).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (literal(&key), escaped(value))).collect()
        }
        other => other,
    }
}

/// An escaped ARN whose place Terraform fills in.
fn filled_in(arn: &str) -> Value {
    json!(filled(arn))
}

fn filled(arn: &str) -> String {
    let filled = [
        (PARTITION, reference("data.aws_partition", ONE, "partition")),
        (REGION, reference("data.aws_region", ONE, "name")),
        (ACCOUNT, reference("data.aws_caller_identity", ONE, "account_id")),
    ];
    filled.iter().fold(arn.to_owned(), |arn, (place, by)| arn.replace(&literal(place), by))
}
