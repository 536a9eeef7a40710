//! Splitting what is too large for a direct upload, by distribution.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::LazyLock;

use mdo_model::quotas::DIRECT_UPLOAD_LIMIT;
use mdo_package::derivative::{DerivativeError, DerivativeProblem, Packing};

use super::project::Project;
use super::wheel::Wheel;
use crate::zip_bytes::noise;

const MIB: usize = 1024 * 1024;

/// Repeated, it does not get smaller either: deflate looks back no farther than 32 KB.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| noise(MIB));

/// The folders directly below `python/` in a zip.
fn folders(zip: &Path) -> BTreeSet<String> {
    let archive = zip::ZipArchive::new(File::open(zip).unwrap()).unwrap();
    let names = archive.file_names().map(|name| name.unwrap().into_owned());
    names.map(|name| name.split('/').nth(1).unwrap().to_owned()).collect()
}

fn sets(parts: &[&[&str]]) -> Vec<BTreeSet<String>> {
    parts.iter().map(|names| names.iter().map(|&name| name.to_owned()).collect()).collect()
}

/// Distributions whose data does not get smaller when it is zipped.
fn heavy(distributions: &[(&'static str, &[(&str, usize)])]) -> Project {
    let mut wants = String::new();
    let mut project = Project::new();
    for (name, files) in distributions {
        let wheel = files
            .iter()
            .fold(Wheel::pure(name, "1.0"), |wheel, (file, size)| wheel.file(file, NOISE.repeat(*size)));
        project = project.wheel(wheel);
        wants += &format!("{name}\n");
    }
    project = project.wants(&wants).locked();
    project.recipe.bytecode = false;
    project
}

#[test]
fn leaves_in_one_zip_what_lambda_takes_directly_or_a_bucket_takes() {
    let project = heavy(&[("light", &[("light/data", 1)])]);
    assert_eq!(project.pack(Packing::Layers).unwrap(), project.pack(Packing::OneZip).unwrap());
    let project = heavy(&[("one", &[("one/data", 30)]), ("two", &[("two/data", 30)])]);
    let built = project.pack(Packing::OneZip).unwrap();
    assert_eq!(built.parts.len(), 1);
    assert!(built.parts[0].size > DIRECT_UPLOAD_LIMIT);
}

#[test]
fn keeps_a_distribution_with_its_libraries_and_all_who_share_a_folder_together() {
    let project = heavy(&[
        ("scipy", &[("scipy/data", 10), ("scipy.libs/blas", 22)]),
        ("spaceone", &[("space/one/data", 10)]),
        ("spacetwo", &[("space/two/data", 8)]),
        ("small", &[("small/data", 1)]),
    ]);
    let built = project.pack(Packing::Layers).unwrap();
    let found: Vec<_> = built.parts.iter().map(|part| folders(&part.path)).collect();
    assert_eq!(
        found,
        sets(&[
            &["scipy", "scipy.libs", "scipy-1.0.dist-info", "small", "small-1.0.dist-info"],
            &["space", "spaceone-1.0.dist-info", "spacetwo-1.0.dist-info"],
        ])
    );
    assert!(built.parts.iter().all(|part| part.size <= 45 * MIB as u64));
    assert_eq!(project.pack(Packing::Layers).unwrap(), built);
}

#[test]
fn refuses_what_does_not_fit_into_five_parts_and_names_the_largest() {
    let project = heavy(&[
        ("a1", &[("a1/data", 24)]),
        ("a2", &[("a2/data", 25)]),
        ("a3", &[("a3/data", 26)]),
        ("a4", &[("a4/data", 27)]),
        ("a5", &[("a5/data", 28)]),
        ("a6", &[("a6/data", 29)]),
    ]);
    let error = project.pack(Packing::Layers).unwrap_err();
    assert_eq!(
        error.to_string(),
        "derivative sklearn: the zip is 159.0 MB, over the 50.0 MB that Lambda takes directly, and does not split into 5 \
         layers of at most 45.0 MB; largest zipped: a6 29.0 MB, a5 28.0 MB, a4 27.0 MB, a3 26.0 MB, a2 25.0 MB"
    );
    assert_eq!(
        error.help().unwrap(),
        "add `[artifacts]` with `bucket = \"…\"` to project.toml: one larger zip goes through that bucket"
    );
    assert_eq!(project.pack(Packing::OneZip).unwrap().parts.len(), 1);
}

#[test]
fn refuses_a_distribution_that_is_too_large_by_itself() {
    let project = heavy(&[("torch", &[("torch/data", 51)])]);
    let DerivativeError::Preflight { problems, .. } = project.pack(Packing::Layers).unwrap_err() else {
        panic!("it does not fit")
    };
    let [DerivativeProblem::NotSplittable { largest, .. }] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    assert_eq!(largest[0].0, "torch");
}
