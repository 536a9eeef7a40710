//! Looks up the values that variables refer to, once, before anything is compared or changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mdo_engine::{Cause, Error, Secrets};
use mdo_model::project::{Reference, Secret};
use mdo_model::stack::Selection;

use super::connect;
use super::session::Session;
use super::{DEV_ENVIRONMENT, planning};
use crate::output::{Complaint, ErrorCode, Failure, exit_code};

/// Values by what names them.
pub(super) type Values = BTreeMap<Reference, Secret>;

impl Session {
    /// Puts the values in the place of what names them, for the functions that the patterns name. Without a reference, no call is made.
    ///
    /// # Errors
    /// Each variable whose value cannot be had, with where it was written, why, and the way out.
    pub(super) async fn look_up(&mut self, patterns: &[String]) -> Result<(), Failure> {
        self.look_up_beside(patterns, &mut Values::new()).await
    }

    /// The same for who comes again and again: what is `known` is not asked for, and what is found is known then.
    pub(super) async fn look_up_beside(
        &mut self,
        patterns: &[String],
        known: &mut Values,
    ) -> Result<(), Failure> {
        let selection = planning::select(&self.settings, patterns)?;
        let mut wanted = self.wanted(&selection);
        wanted.retain(|reference| !known.contains_key(reference));
        if !wanted.is_empty() {
            known.extend(self.ask(wanted).await?);
        }
        self.settings.put_values(known);
        Ok(())
    }

    async fn ask(&self, wanted: BTreeSet<Reference>) -> Result<Values, Failure> {
        let secrets = match &self.connection.secrets {
            Some(secrets) => Arc::clone(secrets),
            None => {
                connect::secrets(&self.settings).await.map_err(|error| self.cannot_ask(&wanted, &error))?
            }
        };
        self.values(secrets.as_ref(), &wanted).await
    }

    fn wanted(&self, selection: &Selection) -> BTreeSet<Reference> {
        let references = self.settings.references().into_iter();
        let chosen = references
            .filter(|(_, variables)| variables.iter().any(|(function, ..)| selection.contains(function)));
        chosen.map(|(reference, _)| reference.clone()).collect()
    }

    async fn values(&self, secrets: &dyn Secrets, wanted: &BTreeSet<Reference>) -> Result<Values, Failure> {
        let (mut values, mut complaints, mut code) = (Values::new(), Vec::new(), exit_code::USAGE);
        for (reference, found) in secrets.secrets(wanted).await {
            match found.and_then(usable) {
                Ok(value) => drop(values.insert(reference, value)),
                Err(error) if error.cause == Cause::Interrupted => return Err(error.into()),
                Err(error) => {
                    if error.cause.is_access() {
                        code = exit_code::ACCESS;
                    }
                    complaints.push(self.complaint(&reference, &error));
                }
            }
        }
        // Who has no access at all need not be told for each variable.
        complaints.dedup_by(|one, other| one.message == other.message);
        if complaints.is_empty() { Ok(values) } else { Err(Failure { complaints, code }) }
    }

    /// Nothing can be asked from here: said of the first variable.
    fn cannot_ask(&self, wanted: &BTreeSet<Reference>, error: &Error) -> Failure {
        let complaints = wanted.first().map(|reference| self.complaint(reference, error));
        let code = if error.cause.is_access() { exit_code::ACCESS } else { exit_code::USAGE };
        Failure { complaints: complaints.into_iter().collect(), code }
    }

    fn complaint(&self, reference: &Reference, error: &Error) -> Complaint {
        let all = self.settings.references();
        let variables = all.get(reference).map(Vec::as_slice).unwrap_or_default();
        let variable = variables.first().map_or("", |(_, variable, _)| variable);
        let functions: Vec<&str> = variables.iter().map(|(function, ..)| function.as_str()).collect();
        let function = if functions.len() == 1 { "function" } else { "functions" };
        let message = format!(
            "cannot look up {variable} of {function} {}, which is {reference}: {}",
            functions.join(", "),
            error.message
        );
        let place = variables.iter().find_map(|(_, _, referred)| referred.place.clone());
        let mut help: Vec<String> = error.help.iter().cloned().collect();
        help.extend(self.is_local().then(|| without_aws(variable)));
        let mut complaint = Complaint::new(ErrorCode::from(&error.cause), message);
        if !help.is_empty() {
            complaint = complaint.help(help.join("\n"));
        }
        Complaint {
            place,
            reference: error.reference.clone(),
            answer: error.answer.as_deref().cloned(),
            ..complaint
        }
    }
}

/// How a variable gets a value on this machine that needs none from AWS.
fn without_aws(variable: &str) -> String {
    format!(
        "or give it a value for this machine alone: -s {variable}=…, {variable}=… in an environment file (-E; mdo dev reads \
         {DEV_ENVIRONMENT} by itself), or under `environment` of the stage"
    )
}

/// A value that a variable can hold.
fn usable(value: Secret) -> Result<Secret, Error> {
    if value.reveal().contains('\0') {
        return Err(Error::new(
            Cause::Invalid,
            "the value holds a NUL character, which no variable can hold",
        )
        .with_help("keep it in Base64 there"));
    }
    Ok(value)
}
