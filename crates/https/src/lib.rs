//! The one HTTPS client of mdo, which the AWS SDK is given too, and files that are fetched with it from addresses on the web.

mod client;
mod error;
mod file;

pub use client::client;
pub use file::HttpsFile;
