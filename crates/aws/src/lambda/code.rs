//! How a zip, of a function or a derivative, gets to Lambda: inside the call, or through the project's bucket when it is too large for that.

use std::path::{Path, PathBuf};

use aws_sdk_lambda::types::FunctionCode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::Blob;
use mdo_engine::{Cause, Error, Run};
use mdo_model::Sha256;
use mdo_model::project::{Artifacts, FunctionName};
use mdo_model::quotas::DIRECT_UPLOAD_LIMIT;
use mdo_model::stack::{Function, ResourceId};

use crate::client::Aws;
use crate::s3;

/// What goes through the bucket, where there is one: inside a call, a zip takes three times its size in memory.
const STREAMED_ABOVE: u64 = 8 * 1024 * 1024;

/// Code that is ready to be handed to Lambda. A zip is read anew for each attempt, so that it is never held twice.
#[derive(Clone)]
pub(crate) enum Code {
    Inline { path: PathBuf, bytes: u64 },
    Stored { bucket: String, key: String },
}

impl Code {
    /// How many bytes it adds to a call, which are in base64 there.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Inline { bytes, .. } => bytes.div_ceil(3) * 4,
            Self::Stored { .. } => 0,
        }
    }

    /// As the calls take it, `FunctionCode` for instance.
    pub(crate) async fn load<E>(&self) -> Result<FunctionCode, SdkError<E, HttpResponse>> {
        let code = FunctionCode::builder();
        Ok(match self {
            Self::Inline { path, .. } => {
                let zip = tokio::fs::read(path).await.map_err(SdkError::construction_failure)?;
                code.zip_file(Blob::new(zip)).build()
            }
            Self::Stored { bucket, key } => code.s3_bucket(bucket).s3_key(key).build(),
        })
    }
}

/// A zip that was made for Lambda.
pub(crate) struct Zip<'a> {
    pub path: &'a Path,
    pub size: u64,
    pub sha256: Option<Sha256>,
}

/// A function's zip.
pub(crate) async fn of_function<'a>(
    name: &FunctionName,
    function: &Function,
    run: &'a Run<'_>,
) -> Result<Zip<'a>, Error> {
    let no_package = || Error::new(Cause::Other, format!("there is no package of function {name}"));
    let path = run.packages().functions.get(name).ok_or_else(no_package)?;
    Ok(Zip { path, size: tokio::fs::metadata(path).await?.len(), sha256: function.code })
}

/// Makes a zip ready: as it is, or put into the bucket.
pub(crate) async fn prepare(
    aws: &Aws,
    artifacts: Option<&Artifacts>,
    zip: Zip<'_>,
    id: &ResourceId,
    run: &Run<'_>,
) -> Result<Code, Error> {
    let Zip { path, size, sha256 } = zip;
    let largest_inline = if artifacts.is_some() { STREAMED_ABOVE } else { DIRECT_UPLOAD_LIMIT };
    if size <= largest_inline {
        return Ok(Code::Inline { path: path.to_owned(), bytes: size });
    }
    let (artifacts, sha256) = artifacts.zip(sha256).ok_or_else(|| {
        Error::new(Cause::Invalid, format!("the package of {id} has no bucket to go through"))
    })?;
    let key = s3::upload(aws, artifacts, path, sha256, id, run).await?;
    Ok(Code::Stored { bucket: artifacts.bucket.clone(), key })
}
