//! Application Auto Scaling as far as mdo asks for it: MiniStack has none. Targets and policies are kept as they were given.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fault::Fault;

/// What is registered, by the ids of resources.
#[derive(Default)]
pub struct Autoscaling {
    targets: BTreeMap<String, Value>,
    policies: BTreeMap<(String, String), Value>,
}

impl Autoscaling {
    /// The answer to a call.
    pub fn answer(&mut self, operation: &str, asked: &Value) -> Result<Value, Fault> {
        let text = |field: &str| asked[field].as_str().unwrap_or_default().to_owned();
        let resource = text("ResourceId");
        match operation {
            "DescribeScalableTargets" => {
                let ids: Vec<&str> =
                    asked["ResourceIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let found: Vec<&Value> = ids.iter().filter_map(|id| self.targets.get(*id)).collect();
                Ok(json!({ "ScalableTargets": found }))
            }
            "DescribeScalingPolicies" => {
                let of_it = self.policies.iter().filter(|((id, _), _)| *id == resource);
                let found: Vec<&Value> = of_it.map(|(_, policy)| policy).collect();
                Ok(json!({ "ScalingPolicies": found }))
            }
            "RegisterScalableTarget" => {
                let mut target = asked.clone();
                target["RoleARN"] = "arn:aws:iam::1:role/scaling".into();
                target["CreationTime"] = 1.into();
                self.targets.insert(resource, target);
                Ok(json!({}))
            }
            "PutScalingPolicy" if self.targets.contains_key(&resource) => {
                let mut policy = asked.clone();
                policy["PolicyARN"] = "arn:aws:autoscaling:eu-west-1:1:policy".into();
                policy["CreationTime"] = 1.into();
                self.policies.insert((resource, text("PolicyName")), policy);
                Ok(json!({"PolicyARN": "arn:aws:autoscaling:eu-west-1:1:policy"}))
            }
            "DeregisterScalableTarget" if self.targets.remove(&resource).is_some() => {
                self.policies.retain(|(id, _), _| *id != resource);
                Ok(json!({}))
            }
            _ => Err(Fault::error(400, "ObjectNotFoundException", "No scalable target registered")),
        }
    }
}
