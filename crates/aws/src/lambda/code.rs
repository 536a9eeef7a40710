//! How a zip, of a function or a derivative, gets to Lambda: inside the call, or through the project's bucket when it is too large for that.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_lambda::types::FunctionCode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::Blob;
use mdo_engine::{Cause, Error, Fetch, Run};
use mdo_https::HttpsFile;
use mdo_model::Sha256;
use mdo_model::project::{Artifacts, FunctionName, Names};
use mdo_model::quotas::DIRECT_UPLOAD_LIMIT;
use mdo_model::stack::{Function, ResourceId};
use tempfile::TempPath;

use crate::client::Aws;
use crate::s3;

/// What goes through the bucket, where there is one: inside a call, a zip takes three times its size in memory.
const STREAMED_ABOVE: u64 = 8 * 1024 * 1024;

/// Code that is ready to be handed to Lambda. A zip is read anew for each attempt, so that it is never held twice.
#[derive(Clone)]
pub(crate) enum Code {
    Inline { file: ZipFile, bytes: u64 },
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
            Self::Inline { file, .. } => {
                let zip = tokio::fs::read(file.path()).await.map_err(SdkError::construction_failure)?;
                code.zip_file(Blob::new(zip)).build()
            }
            Self::Stored { bucket, key } => code.s3_bucket(bucket).s3_key(key).build(),
        })
    }
}

/// Where a zip is.
#[derive(Clone)]
pub(crate) enum ZipFile {
    /// A package that was made of a folder.
    Package(PathBuf),
    /// A file of this run's own, which goes with who holds it last.
    Fetched(Arc<TempPath>),
}

impl ZipFile {
    fn path(&self) -> &Path {
        match self {
            Self::Package(path) => path,
            Self::Fetched(path) => path,
        }
    }
}

/// A zip that was made for Lambda.
pub(crate) struct Zip {
    pub file: ZipFile,
    pub size: u64,
    pub sha256: Option<Sha256>,
}

/// A function's zip: its package, or what Lambda itself has of a version.
pub(crate) async fn of_function(
    (aws, names): (&Aws, &Names),
    name: &FunctionName,
    function: &Function,
    run: &Run<'_>,
) -> Result<Zip, Error> {
    let packages = run.packages();
    if let Some(path) = packages.functions.get(name) {
        let size = tokio::fs::metadata(path).await?.len();
        return Ok(Zip { file: ZipFile::Package(path.clone()), size, sha256: function.code });
    }
    let Some(version) = packages.versions.get(name) else {
        return Err(Error::new(Cause::Other, format!("there is no package of function {name}")));
    };
    let file = fetch(aws, names, name, *version).await?;
    let code = tokio::fs::read(&file).await?;
    if function.code != Some(Sha256::of(&code)) {
        let message = format!("the code that Lambda gave of version {version} of function {name} is another");
        return Err(Error::new(Cause::Other, message).with_help("run the command again"));
    }
    Ok(Zip { file: ZipFile::Fetched(Arc::new(file)), size: code.len() as u64, sha256: function.code })
}

/// Fetches the code of a version from where Lambda keeps it.
async fn fetch(aws: &Aws, names: &Names, name: &FunctionName, version: u64) -> Result<TempPath, Error> {
    let (full, qualifier) = (names.function(name), version.to_string());
    let answer = aws
        .call("lambda:GetFunction", &full, || {
            aws.lambda.get_function().function_name(&full).qualifier(&qualifier).send()
        })
        .await?;
    let nowhere = || Error::new(Cause::Other, format!("Lambda does not say where the code of {full} is"));
    let address = answer.code().and_then(|code| code.location()).ok_or_else(nowhere)?;
    let source = HttpsFile::named_by_service(address)?;
    let mut file = tempfile::NamedTempFile::new()?;
    let mut failure = None;
    let mut take = |piece: &[u8], _: Option<u64>| match file.write_all(piece) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    };
    source.fetch(&mut take).await?;
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(file.into_temp_path()),
    }
}

/// Makes a zip ready: as it is, or put into the bucket.
pub(crate) async fn prepare(
    aws: &Aws,
    artifacts: Option<&Artifacts>,
    zip: Zip,
    id: &ResourceId,
    run: &Run<'_>,
) -> Result<Code, Error> {
    let Zip { file, size, sha256 } = zip;
    let largest_inline = if artifacts.is_some() { STREAMED_ABOVE } else { DIRECT_UPLOAD_LIMIT };
    if size <= largest_inline {
        return Ok(Code::Inline { file, bytes: size });
    }
    let (artifacts, sha256) = artifacts.zip(sha256).ok_or_else(|| {
        Error::new(Cause::Invalid, format!("the package of {id} has no bucket to go through"))
    })?;
    let key = s3::upload(aws, artifacts, file.path(), sha256, id, run).await?;
    Ok(Code::Stored { bucket: artifacts.bucket.clone(), key })
}
