//! The API of a stage as Terraform's resources: routes, deployment, stage, usage plan and keys.

use mdo_model::project::Tags;
use mdo_model::stack::{ApiStage, Key, Recording};
use serde_json::{Value, json};

use super::{Configuration, ONE, escaped, filled_in, literal, reference, tag_map};
use crate::api_gateway::ACCESS_LINE;
use crate::api_gateway::definition::{self, Integrations};
use crate::export::text::{self, ACCOUNT, PARTITION, REGION};
use crate::export::{access_log_arn, set};

impl Configuration<'_> {
    pub(super) fn api(&mut self, stage: &ApiStage, api_tags: &Tags) {
        let ApiStage { definition, deployed_by_mdo: _, variables, throttle, quota, recording, tags } = stage;
        let Recording { tracing, access_logs } = recording;
        let names = self.names;
        let at = Integrations { partition: PARTITION, region: REGION, account: ACCOUNT, names };
        let mut body = escaped(definition::body(definition, &at));
        text::change(&mut body, text::URI, &filled_in);
        let mut properties = json!({
            "name": names.api(),
            "endpoint_configuration": {"types": ["REGIONAL"]},
            "body": body.to_string(),
        });
        set(&mut properties, "tags", tag_map(api_tags));
        self.resource("aws_api_gateway_rest_api", ONE, properties);
        let api = reference("aws_api_gateway_rest_api", ONE, "id");
        // A deployment freezes the definition: another one is another deployment.
        let properties = json!({
            "rest_api_id": api,
            "triggers": {"definition": definition.digest()},
            "lifecycle": {"create_before_destroy": true},
        });
        self.resource("aws_api_gateway_deployment", ONE, properties);
        let mut properties = json!({
            "rest_api_id": api,
            "deployment_id": reference("aws_api_gateway_deployment", ONE, "id"),
            "stage_name": names.stage,
            "variables": escaped(json!(variables)),
        });
        set(&mut properties, "xray_tracing_enabled", tracing.map(Value::from));
        let logs = access_log_arn(access_logs.as_ref());
        let logs = logs.map(|arn| json!({"destination_arn": literal(arn), "format": ACCESS_LINE}));
        set(&mut properties, "access_log_settings", logs);
        set(&mut properties, "tags", tag_map(tags));
        self.resource("aws_api_gateway_stage", ONE, properties);
        let url = reference("aws_api_gateway_stage", ONE, "invoke_url");
        self.outputs.insert("url".to_owned(), json!({"value": url}));
        let mut properties = json!({
            "name": names.usage_plan(),
            "api_stages": {"api_id": api, "stage": reference("aws_api_gateway_stage", ONE, "stage_name")},
        });
        let limit = throttle.map(|limit| json!({"rate_limit": limit.rate, "burst_limit": limit.burst}));
        set(&mut properties, "throttle_settings", limit);
        let limit = quota.map(
            |quota| json!({"limit": quota.limit, "period": quota.period.to_string().to_ascii_uppercase()}),
        );
        set(&mut properties, "quota_settings", limit);
        set(&mut properties, "tags", tag_map(tags));
        self.resource("aws_api_gateway_usage_plan", ONE, properties);
    }

    pub(super) fn key(&mut self, name: &str, full: &str, key: &Key) {
        // What the files ask for does not end.
        let Key { enabled, linked, ends: _, tags } = key;
        let id = self.id(&["key", name]);
        let value = self.id(&["key", name, "value"]);
        let what = format!("The value of key {name}; without one AWS makes one");
        let variable = json!({"type": "string", "description": what, "default": null, "sensitive": true});
        self.variable(&value, variable);
        let mut properties =
            json!({"name": literal(full), "enabled": enabled, "value": format!("${{var.{value}}}")});
        set(&mut properties, "tags", tag_map(tags));
        self.resource("aws_api_gateway_api_key", &id, properties);
        if *linked {
            let properties = json!({
                "key_id": reference("aws_api_gateway_api_key", &id, "id"),
                "key_type": "API_KEY",
                "usage_plan_id": reference("aws_api_gateway_usage_plan", ONE, "id"),
            });
            self.resource("aws_api_gateway_usage_plan_key", &id, properties);
        }
    }
}
