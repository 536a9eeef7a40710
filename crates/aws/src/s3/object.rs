//! An object of any bucket that the credentials may read, fetched piece by piece.

use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use aws_sdk_s3::config::{Builder, Region};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use mdo_engine::{Cause, Error, Fetch, Signals, Take};
use mdo_model::project::Settings;

use crate::client::{Aws, ConnectOptions};

/// The header in which S3 says where a bucket is, of whatever region was asked.
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// An object of S3.
pub struct S3Object {
    aws: Aws,
    bucket: String,
    key: String,
}

impl S3Object {
    /// Finds region and credentials as for a deploy of the project. Makes no call on the object yet.
    ///
    /// # Errors
    /// When no region is configured, or the AWS configuration cannot be read.
    pub async fn connect(
        settings: &Settings,
        bucket: &str,
        key: &str,
        signals: Signals,
    ) -> Result<Self, Error> {
        let aws = Aws::connect(ConnectOptions::of(settings), signals).await?;
        Ok(Self { aws, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The beginning of the object. A bucket may be in another region than the project.
    async fn get(&self) -> Result<GetObjectOutput, Error> {
        let (place, named) = (format!("s3://{}/{}", self.bucket, self.key), Mutex::new(None));
        let get = |region: Option<String>| {
            let (bucket, key, named) = (&self.bucket, &self.key, &named);
            self.aws.call("s3:GetObject", &place, move || {
                let request = self.aws.s3.get_object().bucket(bucket).key(key).customize();
                let region = region.clone().map(Region::new);
                let request = request.config_override(match region {
                    Some(region) => Builder::new().region(region),
                    None => Builder::new(),
                });
                async move {
                    let answer = request.send().await;
                    let raw = answer.as_ref().err().and_then(|error| error.raw_response());
                    let region = raw.and_then(|raw| raw.headers().get(BUCKET_REGION));
                    *named.lock().unwrap_or_else(PoisonError::into_inner) = region.map(str::to_owned);
                    answer
                }
            })
        };
        let answer = get(None).await;
        let elsewhere = named.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (answer, elsewhere) {
            (Err(_), Some(region)) if region != self.aws.region => get(Some(region)).await,
            (answer, _) => answer,
        }
    }
}

#[async_trait]
impl Fetch for S3Object {
    async fn fetch(&self, take: &mut Take<'_>) -> Result<(), Error> {
        let answer = self.get().await?;
        let size = answer.content_length().and_then(|length| u64::try_from(length).ok());
        if take(&[], size).is_break() {
            return Ok(());
        }
        let mut body = answer.body;
        while let Some(piece) = body.next().await {
            let broken = |error| {
                Error::new(Cause::Unreachable, format!("the connection to the bucket broke: {error}"))
                    .with_help("run the command again; nothing of the file was kept")
            };
            if take(&piece.map_err(broken)?, size).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}
