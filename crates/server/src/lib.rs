//! The data plane: a REST front that answers as API Gateway does, and sandboxes that run functions as Lambda does. It serves
//! `mdo dev` and the containers of a hosted stage alike, and knows no provider.

mod activity;
mod connection;
mod frozen;
mod functions;
pub mod gateway;
mod listen;
pub mod runtime;
mod sent_head;
mod stall;
mod teller;

pub use activity::{Activity, Milliseconds, Observer};
pub use frozen::{Frozen, serve_frozen};
pub use functions::{FunctionSite, ServedFunction, ServedFunctions, obstacle};
pub use listen::{GRACE, accept};
pub use teller::Teller;
