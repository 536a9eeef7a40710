//! What Python does with text and numbers where the guide's handler and scikit-learn meet a caller: `int()`,
//! `float()`, and `repr()`.

mod digits;
mod read;
mod repr;

pub use read::{Integer, NotAnInteger, float, int};
pub use repr::{json_float, repr_float, repr_text};
