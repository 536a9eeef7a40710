//! What the exit codes of mdo mean. They are part of its interface.

/// Everything that was asked for is done.
pub(crate) const DONE: u8 = 0;
/// Something failed.
pub(crate) const FAILED: u8 = 1;
/// The command line, a file, or a package is not acceptable; nothing was changed.
pub(crate) const USAGE: u8 = 2;
/// `plan --exit-code` found changes.
pub(crate) const CHANGES_PENDING: u8 = 3;
/// Credentials, permission, account or network stand in the way.
pub(crate) const ACCESS: u8 = 4;
/// Some changes were made and others were not; the table says which.
pub(crate) const PARTLY_APPLIED: u8 = 5;
/// The user interrupted the command.
pub(crate) const INTERRUPTED: u8 = 130;
