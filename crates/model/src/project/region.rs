//! The regions of AWS: those that are known, and what one that opens later may be called.

use super::problem::Problem;
use super::suggest;

/// The regions as of November 2026.
const KNOWN: [&str; 46] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

/// The directions in the names of regions.
const DIRECTIONS: [&str; 9] =
    ["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];

/// What is wrong with the name of a region, if it can be none.
pub(super) fn check(region: &str) -> Option<Problem> {
    if may_be(region) {
        return None;
    }
    let problem = Problem::new(format!("`{region}` is not a region"));
    let alike = KNOWN.into_iter().filter(|known| known.chars().next() == region.chars().next());
    Some(match suggest::nearest(region, alike) {
        Some(known) => problem.help(format!("did you mean `{known}`?")),
        None => problem.help("write it as in `us-east-1`"),
    })
}

/// What is to be said of a region that may have opened after this mdo was made.
pub(super) fn warning(region: &str) -> Option<Problem> {
    if KNOWN.contains(&region) || !may_be(region) {
        return None;
    }
    let problem = Problem::new(format!("mdo does not know the region `{region}`"));
    Some(problem.help("check its name; if it is new, a newer mdo may know it"))
}

/// Whether a region may have this name: an area that has regions, a direction, a digit.
pub(super) fn may_be(region: &str) -> bool {
    let Some((area, direction, number)) = parts(region) else { return false };
    let is_area = KNOWN.iter().filter_map(|known| parts(known)).any(|(known, ..)| known == area);
    is_area
        && DIRECTIONS.contains(&direction)
        && number.len() == 1
        && number.chars().all(|digit| digit.is_ascii_digit() && digit != '0')
}

fn parts(region: &str) -> Option<(&str, &str, &str)> {
    let (place, number) = region.rsplit_once('-')?;
    let (area, direction) = place.rsplit_once('-')?;
    Some((area, direction, number))
}

/// The partition that a region lies in, as ARNs have it.
pub fn partition(region: &str) -> &'static str {
    match region.split_once('-').map_or(region, |(geography, _)| geography) {
        "cn" => "aws-cn",
        "us" if region.starts_with("us-gov-") => "aws-us-gov",
        "us" if region.starts_with("us-isob-") => "aws-iso-b",
        "us" if region.starts_with("us-isof-") => "aws-iso-f",
        "us" if region.starts_with("us-iso-") => "aws-iso",
        "eu" if region.starts_with("eu-isoe-") => "aws-iso-e",
        "eusc" => "aws-eusc",
        _ => "aws",
    }
}
