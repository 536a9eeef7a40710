//! The data plane: a REST front that answers as API Gateway does, and sandboxes that run functions as Lambda does. It serves
//! `mdo dev` and the containers of a hosted stage alike, and knows no provider.

mod activity;
mod connection;
mod functions;
pub mod gateway;
mod given_back;
pub mod hosted;
mod listen;
mod resting;
pub mod runtime;
mod sent_head;
mod stall;
mod teller;

pub use activity::{Activity, End, Milliseconds, Observer, Request, Run};
pub use functions::{FunctionSite, ServedFunction, ServedFunctions, obstacle};
pub use given_back::give_back_code;
pub use listen::{GRACE, Patience, accept, accept_with};
pub use teller::{Dropped, Line, Teller, Told};
