//! Several derivatives in one command: the others go on where one fails, and each failure is told.

use crate::output::{self, Failure, exit_code};

/// What went wrong so far.
#[derive(Debug, Default)]
pub(super) struct Several {
    failure: Option<Failure>,
}

impl Several {
    /// Notes what one of them failed by; what ends the command ends it.
    pub(super) fn note(&mut self, failure: Failure) -> Result<(), Failure> {
        let ends = failure.code == exit_code::INTERRUPTED;
        match &mut self.failure {
            // The first one decides how the command ends.
            Some(first) => {
                for complaint in failure.complaints {
                    // A program that is missing is missing for all of them.
                    if !first.complaints.iter().any(|told| told.message == complaint.message) {
                        first.complaints.push(complaint);
                    }
                }
            }
            None => self.failure = Some(failure),
        }
        match ends {
            true => Err(Failure {
                code: exit_code::INTERRUPTED,
                complaints: self.failure.take().map(|failure| failure.complaints).unwrap_or_default(),
            }),
            false => Ok(()),
        }
    }

    /// What went wrong, if anything did.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The end of the command. `is_told` says that a document has told the failure, which people read on standard error.
    pub(super) fn end(self, is_told: bool) -> Result<(), Failure> {
        match self.failure {
            None => Ok(()),
            Some(failure) if is_told => {
                output::failure(&failure);
                Err(Failure::reported(failure.code))
            }
            Some(failure) => Err(failure),
        }
    }
}
