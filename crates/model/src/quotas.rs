//! Quotas of AWS that rooms which do not know each other agree on.

/// The largest zip that Lambda takes inside a call, in bytes. A larger one goes through a bucket.
pub const DIRECT_UPLOAD_LIMIT: u64 = 50 * 1024 * 1024;

/// The most that a function's unzipped code may take with its layers, in bytes.
pub const UNZIPPED_LIMIT: u64 = 250 * 1024 * 1024;

/// The most that an environment may take, in bytes of its names and values as a JSON object.
pub const ENVIRONMENT_LIMIT: usize = 4096;
