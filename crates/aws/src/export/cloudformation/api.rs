//! The API of a stage as resources of a template: routes, deployment, stage, usage plan and keys.

use mdo_model::project::Tags;
use mdo_model::stack::{ApiStage, Key, Recording};
use serde_json::{Value, json};

use super::{API, STAGE, Template, USAGE_PLAN, filled_in, tag_list};
use crate::api_gateway::ACCESS_LINE;
use crate::api_gateway::definition::{self, Integrations};
use crate::export::text::{self, ACCOUNT, PARTITION, REGION};
use crate::export::{access_log_arn, set};

impl Template<'_> {
    pub(super) fn api(&mut self, stage: &ApiStage, api_tags: &Tags) {
        let ApiStage { definition, deployed_by_mdo: _, variables, throttle, quota, recording, tags } = stage;
        let Recording { tracing, access_logs } = recording;
        let names = self.names;
        let at = Integrations { partition: PARTITION, region: REGION, account: ACCOUNT, names };
        let mut body = definition::body(definition, &at);
        text::change(&mut body, text::URI, &filled_in);
        let mut properties = json!({
            "Name": names.api(),
            "EndpointConfiguration": {"Types": ["REGIONAL"]},
            "Body": body,
        });
        set(&mut properties, "Tags", tag_list(api_tags));
        self.resource(API, "AWS::ApiGateway::RestApi", properties);
        // A deployment freezes the definition: another one is another resource.
        let digest = definition.digest();
        let deployment = self.id(&["deployment", &digest]);
        self.resource(&deployment, "AWS::ApiGateway::Deployment", json!({"RestApiId": {"Ref": API}}));
        let mut properties = json!({
            "RestApiId": {"Ref": API},
            "DeploymentId": {"Ref": deployment},
            "StageName": names.stage,
            "Variables": variables,
        });
        set(&mut properties, "TracingEnabled", tracing.map(Value::from));
        let logs = access_log_arn(access_logs.as_ref());
        let logs = logs.map(|arn| json!({"DestinationArn": arn, "Format": ACCESS_LINE}));
        set(&mut properties, "AccessLogSetting", logs);
        set(&mut properties, "Tags", tag_list(tags));
        self.resource(STAGE, "AWS::ApiGateway::Stage", properties);
        let url =
            format!("https://${{{API}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{}", names.stage);
        self.outputs.insert("Url".to_owned(), json!({"Value": {"Fn::Sub": url}}));
        let mut properties = json!({
            "UsagePlanName": names.usage_plan(),
            "ApiStages": [{"ApiId": {"Ref": API}, "Stage": {"Ref": STAGE}}],
        });
        let limit = throttle.map(|limit| json!({"RateLimit": limit.rate, "BurstLimit": limit.burst}));
        set(&mut properties, "Throttle", limit);
        let limit = quota.map(
            |quota| json!({"Limit": quota.limit, "Period": quota.period.to_string().to_ascii_uppercase()}),
        );
        set(&mut properties, "Quota", limit);
        set(&mut properties, "Tags", tag_list(tags));
        self.resource(USAGE_PLAN, "AWS::ApiGateway::UsagePlan", properties);
    }

    pub(super) fn key(&mut self, name: &str, full: &str, key: &Key) {
        // What the files ask for does not end.
        let Key { enabled, linked, ends: _, tags } = key;
        let value = self.id(&["key", name, "value"]);
        self.secret(&value, &format!("The value of key {name}; without one AWS makes one"), Some(""));
        let has_value = self.id(&["key", name, "has", "value"]);
        let condition = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": value}, ""]}]});
        self.conditions.insert(has_value.clone(), condition);
        let id = self.id(&["key", name]);
        let mut properties = json!({
            "Name": full,
            "Enabled": enabled,
            "Value": {"Fn::If": [has_value, {"Ref": value}, {"Ref": "AWS::NoValue"}]},
        });
        set(&mut properties, "Tags", tag_list(tags));
        self.resource(&id, "AWS::ApiGateway::ApiKey", properties);
        if *linked {
            let link = self.id(&["key", name, "in", "usage", "plan"]);
            let properties =
                json!({"KeyId": {"Ref": id}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": USAGE_PLAN}});
            self.resource(&link, "AWS::ApiGateway::UsagePlanKey", properties);
        }
    }
}
