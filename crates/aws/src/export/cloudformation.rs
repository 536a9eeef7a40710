//! The stack as a CloudFormation template.

mod api;
mod balancer;
mod server;

use std::collections::BTreeSet;

use mdo_model::project::{
    DerivativeId, FunctionConfiguration, FunctionName, Names, Permissions, Reference, Referred, Tags, Vpc,
};
use mdo_model::stack::{Api, Derivative, Function, Invoker, LogGroup, Role, Stack, WarmRule};
use serde_json::{Map, Value, json};

use super::ids::{Ids, camel};
use super::server::Hosting;
use super::text::{self, ACCOUNT, ANYWHERE, PARTITION, REGION};
use super::{Export, ReferredVariables, input, set, shared_variables};
use crate::{events, iam, lambda};

const ROLE: &str = "LambdaRole";
const API: &str = "RestApi";
const STAGE: &str = "ApiStage";
const USAGE_PLAN: &str = "UsagePlan";
const BUCKET: &str = "CodeBucket";

/// The template of a stack.
pub fn cloudformation(export: &Export<'_>) -> Value {
    let Export { stack, names, artifacts, referred, domain } = *export;
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
    let mut template = Template::new(names, shared_variables(stack), referred);
    if let Some(hosting) = Hosting::of(stack) {
        template.shared_hosting(&hosting);
        template.server(&hosting, keys, domain);
        return template.document();
    }
    if !functions.is_empty() {
        let bucket = artifacts.map(|artifacts| artifacts.bucket.as_str());
        template.parameter(BUCKET, "The bucket of the functions' zips", bucket);
    }
    for (id, Derivative { inputs: _ }) in derivatives {
        let parameter = template.layers_of(id);
        let what = format!("The ARNs of the layer versions of derivative {id}, with commas between them");
        template.parameter(&parameter, &what, None);
    }
    if let Some(role) = role {
        template.role(role, permissions.as_ref());
    }
    for (name, group) in log_groups {
        template.log_group(name, group);
    }
    for (name, function) in functions {
        let folder = artifacts.map_or("", |artifacts| artifacts.prefix.trim_matches('/'));
        let key = if folder.is_empty() { format!("{name}.zip") } else { format!("{folder}/{name}.zip") };
        let parameter = template.id(&[name.as_str(), "code", "key"]);
        template.parameter(&parameter, &format!("The key of the zip of {name} in the bucket"), Some(&key));
        template.function(name, function, &parameter, log_groups.contains_key(name));
    }
    if let (Some(Api { owned: _, tags }), Some(stage)) = (api, stage) {
        template.api(stage, tags);
    }
    for (name, key) in keys {
        template.key(name.as_str(), &names.key(name), key);
    }
    for (name, rule) in warm_rules {
        template.warm_rule(name, rule);
    }
    template.document()
}

struct Template<'a> {
    names: &'a Names,
    shared: BTreeSet<&'a str>,
    referred: &'a ReferredVariables,
    ids: Ids,
    parameters: Map<String, Value>,
    conditions: Map<String, Value>,
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
}

impl<'a> Template<'a> {
    fn new(names: &'a Names, shared: BTreeSet<&'a str>, referred: &'a ReferredVariables) -> Self {
        let mut ids = Ids::default();
        for taken in [ROLE, API, STAGE, USAGE_PLAN, BUCKET] {
            ids.name(taken, &[]);
        }
        let (parameters, conditions, resources, outputs) = Default::default();
        Self { names, shared, referred, ids, parameters, conditions, resources, outputs }
    }

    fn document(self) -> Value {
        let Names { project, stage } = self.names;
        let mut document = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": format!("{project} at stage {stage}, exported by mdo"),
            "Resources": self.resources,
        });
        for (section, entries) in
            [("Parameters", self.parameters), ("Conditions", self.conditions), ("Outputs", self.outputs)]
        {
            if !entries.is_empty() {
                document[section] = entries.into();
            }
        }
        document
    }

    fn id(&mut self, words: &[&str]) -> String {
        self.ids.name(&camel(words), words)
    }

    fn resource(&mut self, id: &str, kind: &str, properties: Value) -> &mut Value {
        // Nothing is there yet: every id is another one.
        self.resources.entry(id).or_insert(json!({"Type": kind, "Properties": properties}))
    }

    fn parameter(&mut self, name: &str, description: &str, default: Option<&str>) {
        let mut parameter = json!({"Type": "String", "Description": description});
        set(&mut parameter, "Default", default);
        self.parameters.insert(name.to_owned(), parameter);
    }

    fn secret(&mut self, name: &str, description: &str, default: Option<&str>) {
        self.parameter(name, description, default);
        self.parameters[name]["NoEcho"] = json!(true);
    }

    fn layers_of(&mut self, id: &DerivativeId) -> String {
        self.id(&["layers", &id.to_string()])
    }

    fn role(&mut self, role: &Role, permissions: Option<&Permissions>) {
        let Role { trusted_service, log_groups: _, grants: _, boundary, tags } = role;
        let mut policy = iam::role_policy(role, ANYWHERE);
        text::change(&mut policy, text::RESOURCE, &filled_in);
        let mut policies = vec![json!({"PolicyName": iam::POLICY, "PolicyDocument": policy})];
        let mut managed = &BTreeSet::new();
        if let Some(permissions) = permissions {
            let statements: Vec<Value> = iam::allowed(permissions).collect();
            if !statements.is_empty() {
                let document = json!({"Version": "2012-10-17", "Statement": statements});
                let name = iam::stage_policy_name(self.names);
                policies.push(json!({"PolicyName": name, "PolicyDocument": document}));
            }
            managed = &permissions.policies;
        }
        let mut properties = json!({
            "RoleName": self.names.role(),
            "Description": iam::description(self.names),
            "AssumeRolePolicyDocument": iam::trust(trusted_service),
            "Policies": policies,
        });
        set(&mut properties, "PermissionsBoundary", boundary.as_ref());
        set(&mut properties, "ManagedPolicyArns", (!managed.is_empty()).then_some(managed));
        set(&mut properties, "Tags", tag_list(tags));
        self.resource(ROLE, "AWS::IAM::Role", properties);
    }

    fn log_group(&mut self, name: &FunctionName, group: &LogGroup) {
        let LogGroup { retention_days, tags } = group;
        let mut properties = json!({"LogGroupName": self.names.log_group(name)});
        set(&mut properties, "RetentionInDays", *retention_days);
        set(&mut properties, "Tags", tag_list(tags));
        let id = self.id(&[name.as_str(), "log", "group"]);
        self.resource(&id, "AWS::Logs::LogGroup", properties);
    }

    fn function(&mut self, name: &FunctionName, function: &Function, code_key: &str, has_log_group: bool) {
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
        let own_role = *role == self.names.role();
        let mut properties = self.configured(name, configuration);
        properties["FunctionName"] = json!(self.names.function(name));
        properties["Role"] = if own_role { json!({"Fn::GetAtt": [ROLE, "Arn"]}) } else { json!(role) };
        properties["Code"] = json!({"S3Bucket": {"Ref": BUCKET}, "S3Key": {"Ref": code_key}});
        set(&mut properties, "ReservedConcurrentExecutions", *concurrency);
        set(&mut properties, "Tags", tag_list(tags));
        let layers = &configuration.layers;
        let mut all: Vec<Value> = layers.iter().map(|arn| json!(arn)).collect();
        for derivative in derivatives.keys() {
            all.push(json!({"Ref": self.layers_of(&configuration.derivative_id(derivative))}));
        }
        if !derivatives.is_empty() {
            // A parameter stands for as many layers as its derivative has parts.
            properties["Layers"] = json!({"Fn::Split": [",", {"Fn::Join": [",", all]}]});
        } else if !all.is_empty() {
            properties["Layers"] = all.into();
        }
        let id = self.id(&[name.as_str(), "function"]);
        let group = self.id(&[name.as_str(), "log", "group"]);
        let resource = self.resource(&id, "AWS::Lambda::Function", properties);
        if has_log_group {
            // Lambda would make one that keeps logs for ever.
            resource["DependsOn"] = json!(group);
        }
        self.alias(name, &id);
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
            "Runtime": runtime,
            "Handler": handler,
            "Architectures": [architecture.as_str()],
            "MemorySize": memory,
            "Timeout": timeout,
            "EphemeralStorage": {"Size": ephemeral_storage},
            "TracingConfig": {"Mode": mode.as_str()},
        });
        set(&mut properties, "Description", (!description.is_empty()).then_some(description));
        set(&mut properties, "KmsKeyArn", kms_arn.as_ref());
        set(
            &mut properties,
            "DeadLetterConfig",
            deadletter_arn.as_ref().map(|arn| json!({"TargetArn": arn})),
        );
        let network = vpc.as_ref().map(|Vpc { subnets, security_groups }| {
            json!({"SubnetIds": subnets, "SecurityGroupIds": security_groups})
        });
        set(&mut properties, "VpcConfig", network);
        let mut variables = Map::new();
        for key in environment.keys() {
            let referred = self.referred.get(name).and_then(|all| all.get(key));
            let value = match referred.and_then(dynamic_reference) {
                Some(value) => value,
                None => json!({"Ref": self.variable(name, key)}),
            };
            variables.insert(key.clone(), value);
        }
        let variables = (!variables.is_empty()).then(|| json!({"Variables": variables}));
        set(&mut properties, "Environment", variables);
        properties
    }

    /// The parameter of an environment variable.
    fn variable(&mut self, function: &FunctionName, key: &str) -> String {
        let (words, mut what) = input(&self.shared, function, key);
        let referred = self.referred.get(function).and_then(|all| all.get(key));
        if let Some(Referred { reference, .. }) = referred {
            what = format!("{what}, which is kept in {reference}");
        }
        let parameter = self.id(&words);
        self.secret(&parameter, &what, None);
        parameter
    }

    fn alias(&mut self, name: &FunctionName, function: &str) {
        let version = self.id(&[name.as_str(), "version"]);
        self.resource(&version, "AWS::Lambda::Version", json!({"FunctionName": {"Ref": function}}));
        let alias = self.id(&[name.as_str(), "alias"]);
        let properties = json!({
            "FunctionName": {"Ref": function},
            "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
            "Name": self.names.stage,
        });
        self.resource(&alias, "AWS::Lambda::Alias", properties);
    }

    fn permission(&mut self, name: &FunctionName, invoker: Invoker) {
        let stage = &self.names.stage;
        let (principal, source, word) = match invoker {
            Invoker::Api => {
                let arn = format!("arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:${{{API}}}/{stage}/*/*");
                ("apigateway.amazonaws.com", json!({"Fn::Sub": arn}), "api")
            }
            Invoker::WarmRule => {
                let rule = self.id(&[name.as_str(), "warm", "rule"]);
                ("events.amazonaws.com", json!({"Fn::GetAtt": [rule, "Arn"]}), "warm")
            }
        };
        let alias = self.id(&[name.as_str(), "alias"]);
        let id = self.id(&[name.as_str(), word, "permission"]);
        let properties = json!({
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": alias},
            "Principal": principal,
            "SourceArn": source,
        });
        self.resource(&id, "AWS::Lambda::Permission", properties);
    }

    fn warm_rule(&mut self, function: &FunctionName, rule: &WarmRule) {
        let WarmRule { name, rate, concurrency, enabled, input, tags } = rule;
        let alias = self.id(&[function.as_str(), "alias"]);
        let target = |index| json!({"Id": events::target_id(index), "Arn": {"Ref": alias}, "Input": input.to_string()});
        let mut properties = json!({
            "Name": name,
            "Description": events::description(self.names, function),
            "State": if *enabled { "ENABLED" } else { "DISABLED" },
            "Targets": (1..=*concurrency).map(target).collect::<Vec<_>>(),
        });
        set(&mut properties, "ScheduleExpression", rate.map(mdo_model::project::Rate::schedule_expression));
        set(&mut properties, "Tags", tag_list(tags));
        let id = self.id(&[function.as_str(), "warm", "rule"]);
        self.resource(&id, "AWS::Events::Rule", properties);
    }
}

/// What stands for a value that is kept elsewhere. CloudFormation looks up secrets of Secrets Manager by itself; encrypted parameters it
/// does not put into environments.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm-secure-strings.html>
fn dynamic_reference(referred: &Referred) -> Option<Value> {
    match &referred.reference {
        reference if referred.by_function => Some(json!(reference.to_string())),
        Reference::Parameter(_) => None,
        Reference::Managed { secret, key } => {
            let key = key.as_ref().map(|key| format!(":{key}")).unwrap_or_default();
            Some(json!(format!("{{{{resolve:secretsmanager:{secret}:SecretString{key}}}}}")))
        }
    }
}

/// The project's own tags, where there are any.
fn tag_list(tags: &Tags) -> Option<Value> {
    let list = tags.iter().map(|(name, value)| json!({"Key": name, "Value": value}));
    (!tags.is_empty()).then(|| list.collect())
}

/// An ARN whose place CloudFormation fills in; API Gateway's own `${…}` are no references of it.
fn filled_in(arn: &str) -> Value {
    if !arn.contains("${AWS::") {
        return json!(arn);
    }
    json!({"Fn::Sub": arn.replace("${", "${!").replace("${!AWS::", "${AWS::")})
}
