//! Environments that are larger than Lambda takes, with what a stage has and keeps.

use mdo_model::project::environment_size;
use mdo_model::quotas::ENVIRONMENT_LIMIT;
use mdo_model::stack::{Plan, Resource};

use crate::output::{Complaint, ErrorCode, Failure, exit_code, thousands};

/// Checks that no environment is larger than Lambda takes, with what is live and kept: Lambda refuses it only when half of the
/// deploy is done, and quotes all of it.
pub(super) fn check_environment_sizes(plan: &Plan) -> Result<(), Failure> {
    let too_large = plan.changes.iter().filter_map(|change| {
        let Some(Resource::Function(function)) = &change.after else { return None };
        let size = environment_size(&function.configuration.environment);
        let kept = plan.kept.iter().filter(|kept| kept.resource == change.id).map(|kept| kept.name.as_str());
        let kept: Vec<&str> = kept.collect();
        (size > ENVIRONMENT_LIMIT).then(|| {
            let with = if kept.is_empty() {
                String::new()
            } else {
                format!(" with {}, which the stage has and no file sets", kept.join(", "))
            };
            let message = format!(
                "the environment of function {} has {} bytes{with}: Lambda takes at most {}",
                change.id.name,
                thousands(size as u64),
                thousands(ENVIRONMENT_LIMIT as u64)
            );
            let elsewhere =
                "keep large values elsewhere, such as in a file of the package or in Parameter Store";
            let help = match kept.first() {
                Some(name) => {
                    format!("remove what is not needed any more with --unset {name}, or {elsewhere}")
                }
                None => elsewhere.to_owned(),
            };
            Complaint::new(ErrorCode::Configuration, message)
                .help(help)
                .on(format!("function {}", change.id.name))
        })
    });
    let complaints: Vec<Complaint> = too_large.collect();
    if complaints.is_empty() { Ok(()) } else { Err(Failure { complaints, code: exit_code::USAGE }) }
}
