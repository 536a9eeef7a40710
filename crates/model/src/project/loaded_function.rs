//! A function as it was written: its `function.json`, and where in it each setting stands.

use super::document::Document;
use super::function_file::FunctionFile;

/// One function as written.
#[derive(Clone, Debug)]
pub(super) struct LoadedFunction {
    pub file: FunctionFile,
    pub document: Document,
}
