//! `mdo derivative push`: the guide's own layout in the bucket, `lambda/python_3.13/sklearn.zip`.

use mdo_model::project::{Architecture, DerivativeId, DerivativeName};
use mdo_package::Bytes;
use mdo_package::derivative::Packing;

use super::super::arguments::StackArgs;
use super::super::derivatives::Derivatives;
use super::super::ingredients::Make;
use super::super::session::Session;
use super::{chosen, ids_of};
use crate::output::{self, Failure, Steps, exit_code};

pub(super) async fn run(name: &DerivativeName, place: &StackArgs) -> Result<(), Failure> {
    let session = Session::open_live(place).await?;
    let settings = &session.settings;
    chosen(settings, std::slice::from_ref(name))?;
    let Some(share) = &session.connection.share else {
        return Err(Failure::with_help(
            exit_code::USAGE,
            "derivatives are pushed to a bucket on AWS, and this machine has none",
            format!("mdo derivative push {name}"),
        ));
    };
    if settings.artifacts.is_none() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("derivative {name} has no bucket to go to"),
            "name one in project.toml: `[artifacts]` with `bucket = \"…\"`",
        ));
    }
    let derivatives = Derivatives::of_ids(settings, &ids_of(settings, name))?;
    for (id, built) in derivatives.build_all(Make::ForLambda(Packing::OneZip)).await? {
        let Some(zip) = built.parts.first() else { continue };
        let steps = Steps::begin(format!("derivative {name}"));
        let progress =
            |sent: u64, size: u64| steps.detail(&format!("uploaded {} of {}", Bytes(sent), Bytes(size)));
        let address = share.share(&zip.path, &key(&id), &progress).await?;
        drop(steps);
        output::data(&format!("{address}\n  {}, sha256 {}\n", Bytes(zip.size), zip.sha256));
    }
    Ok(())
}

/// The key below the bucket's prefix. The guide knows one architecture: the other one is in the name.
fn key(id: &DerivativeId) -> String {
    let suffix = match id.architecture {
        Architecture::X86_64 => String::new(),
        other => format!("-{other}"),
    };
    format!("lambda/{}/{}{suffix}.zip", id.runtime.replacen("python", "python_", 1), id.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_guides() {
        let key = |id: &str| key(&id.parse().unwrap());
        assert_eq!(key("sklearn-python3_13-x86_64"), "lambda/python_3.13/sklearn.zip");
        assert_eq!(key("sklearn-python3_13-arm64"), "lambda/python_3.13/sklearn-arm64.zip");
    }
}
