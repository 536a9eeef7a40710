//! The table of Python handlers that both clients run.

mod answers;
mod failures;
mod surroundings;

/// A handler, its events, and something that has to be said in its answers or in its log.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) code: &'static str,
    pub(crate) handler: &'static str,
    pub(crate) events: &'static [&'static str],
    pub(crate) says: &'static str,
    pub(crate) environment: &'static [(&'static str, &'static str)],
    pub(crate) client_context: Option<&'static str>,
    pub(crate) identity: Option<&'static str>,
}

const CASE: Case = Case {
    name: "",
    code: "",
    handler: "sample.handle",
    events: &["{}"],
    says: "",
    environment: &[],
    client_context: None,
    identity: None,
};

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [answers::CASES, failures::CASES, surroundings::CASES].into_iter().flatten()
}
