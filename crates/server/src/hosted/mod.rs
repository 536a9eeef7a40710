//! A hosted stage: what the container of a stage behind a load balancer serves, without a store and without a provider. It reads what it
//! serves once, writes nothing but its log, and ends without failing a request.

mod health;
mod log;
mod read;
mod serve;
mod stop;

pub use log::Log;
pub use read::{Hosted, Unservable};
pub use serve::serve;
pub use stop::{Asked, Stop};
