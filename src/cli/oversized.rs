//! Environments that are larger than Lambda takes, with what a stage has and keeps.

use mdo_model::project::environment_size;
use mdo_model::quotas::ENVIRONMENT_LIMIT;
use mdo_model::stack::{Plan, Resource};

use crate::output::{Failure, exit_code};

/// Checks that no environment is larger than Lambda takes, with what is live and kept: Lambda refuses it only when half of the
/// deploy is done, and quotes all of it.
pub(super) fn check_environment_sizes(plan: &Plan) -> Result<(), Failure> {
    let too_large = plan.changes.iter().filter_map(|change| {
        let Some(Resource::Function(function)) = &change.after else { return None };
        let size = environment_size(&function.configuration.environment);
        let kept = plan.kept.iter().filter(|kept| kept.resource == change.id).map(|kept| kept.name.as_str());
        let kept: Vec<&str> = kept.collect();
        (size > ENVIRONMENT_LIMIT).then(|| {
            let with = if kept.is_empty() { String::new() } else { format!(" with {}, which the stage has and no file sets", kept.join(", ")) };
            let message = format!(
                "the environment of function {} has {size} bytes{with}: Lambda takes at most {ENVIRONMENT_LIMIT}",
                change.id.name
            );
            let elsewhere = "keep large values elsewhere, such as in a file of the package or in Parameter Store";
            let help = match kept.first() {
                Some(name) => format!("remove what is not needed any more with --unset {name}, or {elsewhere}"),
                None => elsewhere.to_owned(),
            };
            Failure::with_help(exit_code::USAGE, message, help).text
        })
    });
    let too_large: Vec<String> = too_large.collect();
    if too_large.is_empty() { Ok(()) } else { Err(Failure::rendered(exit_code::USAGE, too_large.join("\n"))) }
}
