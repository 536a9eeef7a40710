//! The text of a sample, as the guide's handler writes it with `json.dumps`.

use crate::limits::ANSWER_BYTES;
use crate::make_classification::Sample;
use crate::python::json_float;
use std::fmt::Write;

/// What surrounds the body in the answer: status, headers, braces; in bytes, rounded up.
const SURROUNDINGS: usize = 200;

/// `{"vec_0": […], …, "target": […]}`; `None` as soon as it would not fit in an answer.
pub fn body(sample: &Sample) -> Option<String> {
    // Every key has two quotes, and each is escaped once more in the answer.
    let most = ANSWER_BYTES.checked_sub(SURROUNDINGS + 2 * (sample.n_features + 1))?;
    let mut out = String::with_capacity((sample.x.len() * 21 + sample.y.len() * 3 + 64).min(most));
    out.push('{');
    for feature in 0..sample.n_features {
        // Writing to a String cannot fail.
        let _ = write!(out, "\"vec_{feature}\": [");
        for (row, value) in sample.column(feature).enumerate() {
            separate(&mut out, row);
            json_float(&mut out, value);
            if out.len() > most {
                return None;
            }
        }
        out.push_str("], ");
    }
    out.push_str("\"target\": [");
    for (row, label) in sample.y.iter().enumerate() {
        separate(&mut out, row);
        let _ = write!(out, "{label}");
    }
    out.push_str("]}");
    (out.len() <= most).then_some(out)
}

fn separate(out: &mut String, place: usize) {
    if place > 0 {
        out.push_str(", ");
    }
}
