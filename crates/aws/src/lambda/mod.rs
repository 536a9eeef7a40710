//! Lambda: functions with their versions, aliases and permissions.

mod code;
mod description;
mod functions;
mod history;
mod layer_record;
mod layers;
mod marks;
pub(crate) mod permissions;
mod pruning;
mod publish;
mod read;
mod request;
mod versions;

pub(crate) use functions::is_foreign;
pub(crate) use layers::KnownLayers;
pub(crate) use marks::Marks;
pub(crate) use read::{
    CONCURRENCY_TAG, Live, Lookup, account_in, idle, is_busy, list, look_up, read_tags, reserved,
    settled_soon,
};
pub(crate) use request::tracing_mode;
pub(crate) use versions::StageVersions;
