//! A function's configuration in the terms of Lambda's requests.

use aws_sdk_lambda::types::{
    Architecture as LambdaArchitecture, DeadLetterConfig, Environment, TracingConfig, TracingMode, VpcConfig,
};
use mdo_model::project::{Architecture, FunctionConfiguration, Tracing};

/// Sets everything that creation and update of a function have in common.
macro_rules! configure {
    ($request:expr, $wanted:expr, $text:expr, $role:expr, $clear:expr) => {{
        let (wanted, clear): (&mdo_model::project::FunctionConfiguration, bool) = ($wanted, $clear);
        $request
            .description($text)
            .runtime(aws_sdk_lambda::types::Runtime::from(wanted.runtime.as_str()))
            .handler(&wanted.handler)
            .memory_size($crate::lambda::request::signed(wanted.memory))
            .timeout($crate::lambda::request::signed(wanted.timeout))
            .role($role)
            .set_ephemeral_storage(
                aws_sdk_lambda::types::EphemeralStorage::builder()
                    .size($crate::lambda::request::signed(wanted.ephemeral_storage))
                    .build()
                    .ok(),
            )
            .environment($crate::lambda::request::environment(wanted))
            .set_vpc_config($crate::lambda::request::network(wanted, clear))
            .set_layers((clear || !wanted.layers.is_empty()).then(|| wanted.layers.clone()))
            .tracing_config($crate::lambda::request::tracing(wanted))
            .set_dead_letter_config($crate::lambda::request::dead_letters(wanted, clear))
            .set_kms_key_arn(wanted.kms_arn.clone().or_else(|| clear.then(String::new)))
    }};
}

pub(super) use configure;

pub(super) fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn architecture(wanted: &FunctionConfiguration) -> LambdaArchitecture {
    instruction_set(wanted.architecture)
}

pub(super) fn instruction_set(architecture: Architecture) -> LambdaArchitecture {
    match architecture {
        Architecture::X86_64 => LambdaArchitecture::X8664,
        Architecture::Arm64 => LambdaArchitecture::Arm64,
    }
}

pub(super) fn environment(wanted: &FunctionConfiguration) -> Environment {
    let variables = wanted.environment.iter().map(|(key, value)| (key.clone(), value.reveal().to_owned()));
    Environment::builder().set_variables(Some(variables.collect())).build()
}

pub(super) fn tracing(wanted: &FunctionConfiguration) -> TracingConfig {
    TracingConfig::builder().mode(tracing_mode(wanted.tracing)).build()
}

/// Lambda's word for a way of tracing.
pub(crate) fn tracing_mode(tracing: Tracing) -> TracingMode {
    match tracing {
        Tracing::Passthrough => TracingMode::PassThrough,
        Tracing::Active => TracingMode::Active,
    }
}

pub(super) fn network(wanted: &FunctionConfiguration, clear: bool) -> Option<VpcConfig> {
    match &wanted.vpc {
        Some(vpc) => Some(
            VpcConfig::builder()
                .set_subnet_ids(Some(vpc.subnets.clone()))
                .set_security_group_ids(Some(vpc.security_groups.clone()))
                .build(),
        ),
        None => clear.then(|| {
            VpcConfig::builder()
                .set_subnet_ids(Some(Vec::new()))
                .set_security_group_ids(Some(Vec::new()))
                .build()
        }),
    }
}

pub(super) fn dead_letters(wanted: &FunctionConfiguration, clear: bool) -> Option<DeadLetterConfig> {
    let target = wanted.deadletter_arn.clone().or_else(|| clear.then(String::new))?;
    Some(DeadLetterConfig::builder().target_arn(target).build())
}
