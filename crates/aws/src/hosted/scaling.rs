//! How the number of a stage's tasks follows their load.

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};
use mdo_engine::{Cause, Error};
use mdo_model::project::{Names, Tasks};

use crate::client::Aws;

/// The name of the policy.
pub(crate) const POLICY: &str = "mdo-cpu";

/// How long scaling waits between steps out, and between steps in, in seconds.
pub(crate) const COOLDOWN: (i32, i32) = (60, 300);

/// How the stage's service scales; `None` where it does not. Without a policy of mdo's it aims at nothing.
pub(super) async fn observe(aws: &Aws, names: &Names) -> Result<Option<Tasks>, Error> {
    let resource = resource(names);
    let answer = aws
        .call("application-autoscaling:DescribeScalableTargets", &resource, || {
            aws.scaling
                .describe_scalable_targets()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_ids(&resource)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .send()
        })
        .await?;
    let Some(target) = answer.scalable_targets().iter().find(|target| target.resource_id() == resource)
    else {
        return Ok(None);
    };
    let count = |count: i32| u16::try_from(count).unwrap_or_default();
    let (min, max) = (count(target.min_capacity()), count(target.max_capacity()));
    Ok(Some(Tasks { min, max, cpu: aims_at(aws, &resource).await? }))
}

/// The use of the processor that the policy aims at, if it is one of mdo's.
async fn aims_at(aws: &Aws, resource: &str) -> Result<Option<u8>, Error> {
    let answer = aws
        .call("application-autoscaling:DescribeScalingPolicies", resource, || {
            aws.scaling
                .describe_scaling_policies()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(resource)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .send()
        })
        .await?;
    let policy = answer.scaling_policies().iter().find(|policy| policy.policy_name() == POLICY);
    let tracking = policy.and_then(|policy| policy.target_tracking_scaling_policy_configuration());
    let by_cpu = tracking.filter(|tracking| {
        let metric = tracking.predefined_metric_specification().map(|metric| metric.predefined_metric_type());
        let is_ours = metric == Some(&MetricType::EcsServiceAverageCpuUtilization);
        is_ours && !tracking.disable_scale_in().unwrap_or_default()
    });
    Ok(by_cpu.and_then(|tracking| percent(tracking.target_value())))
}

fn percent(value: f64) -> Option<u8> {
    (1..=100).find(|percent| (f64::from(*percent) - value).abs() < 1e-6)
}

/// Makes the stage's service scale as wanted, or not at all.
pub(super) async fn put(aws: &Aws, names: &Names, tasks: Tasks) -> Result<(), Error> {
    let Some(cpu) = tasks.cpu else { return remove(aws, names).await };
    let resource = resource(names);
    aws.call("application-autoscaling:RegisterScalableTarget", &resource, || {
        aws.scaling
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(&resource)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .min_capacity(tasks.min.into())
            .max_capacity(tasks.max.into())
            .send()
    })
    .await?;
    let tracking = tracking(cpu)?;
    aws.call("application-autoscaling:PutScalingPolicy", &resource, || {
        aws.scaling
            .put_scaling_policy()
            .policy_name(POLICY)
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(&resource)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(tracking.clone())
            .send()
    })
    .await
    .map(drop)
}

fn tracking(cpu: u8) -> Result<TargetTrackingScalingPolicyConfiguration, Error> {
    let unfinished = |error: aws_smithy_types::error::operation::BuildError| {
        Error::new(Cause::Other, format!("the scaling policy is not whole: {error}"))
    };
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::EcsServiceAverageCpuUtilization)
        .build()
        .map_err(unfinished)?;
    let (out, in_again) = COOLDOWN;
    TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(cpu.into())
        .predefined_metric_specification(metric)
        .scale_out_cooldown(out)
        .scale_in_cooldown(in_again)
        .build()
        .map_err(unfinished)
}

/// Ends the scaling of the stage's service; its policies and their alarms go with it. None is no error.
pub(super) async fn remove(aws: &Aws, names: &Names) -> Result<(), Error> {
    let resource = resource(names);
    let answer = aws
        .call("application-autoscaling:DeregisterScalableTarget", &resource, || {
            aws.scaling
                .deregister_scalable_target()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(&resource)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .send()
        })
        .await;
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}

fn resource(names: &Names) -> String {
    format!("service/{}/{}", names.cluster(), names.service())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_of_whole_per_cent_is_mdos() {
        assert_eq!(percent(60.0), Some(60));
        assert_eq!(percent(62.5), None);
        assert_eq!(tracking(60).expect("a policy").target_value(), 60.0);
    }
}
