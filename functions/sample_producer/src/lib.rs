//! A Lambda function that answers a sample of scikit-learn 1.9.1's `make_classification`, bit for bit.
//!
//! An event becomes a request (`event`), its query becomes checked parameters (`query`, `validation`, `parameters`,
//! `limits`), these become a sample (`make_classification` with `random`, `hypercube`, `clusters`, `product`), the
//! sample becomes text (`body`), and the text an answer (`handler`). `python` holds what Python does with numbers
//! and text.

pub mod body;
pub mod clusters;
pub mod environment;
pub mod errors;
pub mod event;
pub mod handler;
pub mod hypercube;
pub mod limits;
pub mod logarithm;
pub mod make_classification;
pub mod parameters;
pub mod product;
pub mod python;
pub mod query;
pub mod random;
mod validation;
