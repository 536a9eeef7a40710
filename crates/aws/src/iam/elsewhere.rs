//! Whether functions in other regions use the project's role, as far as that can be known: roles are global, and functions
//! are not.

use std::collections::BTreeSet;

use aws_sdk_lambda::config::Region;
use mdo_engine::Error;
use mdo_model::project::Names;

use crate::client::Aws;

/// The tag of a role that names the regions that it was made for, with a blank between them.
pub(crate) const REGIONS_TAG: &str = "mdo:regions";

/// A function of the project with this role in one of these regions, and which region it is in.
pub(crate) async fn user(
    aws: &Aws,
    names: &Names,
    role_arn: &str,
    regions: &BTreeSet<String>,
) -> Result<Option<String>, Error> {
    for region in regions.iter().filter(|region| **region != aws.region) {
        if let Some(function) = user_in(aws, names, role_arn, region).await? {
            return Ok(Some(format!("function {function} in {region}")));
        }
    }
    Ok(None)
}

async fn user_in(aws: &Aws, names: &Names, role_arn: &str, region: &str) -> Result<Option<String>, Error> {
    let config = aws.lambda.config().to_builder().region(Region::new(region.to_owned())).build();
    let lambda = aws_sdk_lambda::Client::from_conf(config);
    let mut marker: Option<String> = None;
    loop {
        let answer = aws
            .call("lambda:ListFunctions", region, || {
                lambda.list_functions().max_items(50).set_marker(marker.clone()).send()
            })
            .await?;
        let uses = answer.functions().iter().find_map(|function| {
            let name = function.function_name()?;
            let is_user = names.function_of(name).is_some() && function.role() == Some(role_arn);
            is_user.then(|| name.to_owned())
        });
        marker = answer.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
        if uses.is_some() || marker.is_none() {
            return Ok(uses);
        }
    }
}
