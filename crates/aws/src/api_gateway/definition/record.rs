//! What a stage serves, recorded in variables of the stage itself.
//!
//! API Gateway tells neither the functions nor the timeouts of a deployment in a form that reads back to what was written:
//! an export is another document, and the working definition is scratch paper of every stage. So the definition goes with
//! the deployment in the same call, and its digest in the deployment's description, which nobody can change: a record is
//! believed only while the stage serves the very deployment that bears its digest. Whoever deploys by hand, in the console
//! for instance, makes another deployment.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use mdo_model::stack::Definition;

/// The variable that holds the digest; what follows are the pieces of the record.
const DIGEST: &str = "definition";

/// The most characters that the value of a stage variable has.
const PIECE: usize = 512;

/// More than any definition that API Gateway takes: it takes documents of 6 MB.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The variables that record a definition.
pub(crate) fn variables(definition: &Definition) -> BTreeMap<String, String> {
    let text = serde_json::to_vec(definition).unwrap_or_default();
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    // Writing to a vector cannot fail.
    let packed = encoder.write_all(&text).and_then(|()| encoder.finish()).unwrap_or_default();
    let record = URL_SAFE_NO_PAD.encode(packed);
    let pieces = record.as_bytes().chunks(PIECE).zip(1..);
    let mut variables: BTreeMap<_, _> = pieces
        .map(|(piece, number)| (piece_name(number), String::from_utf8_lossy(piece).into_owned()))
        .collect();
    variables.insert(DIGEST.to_owned(), definition.digest());
    variables
}

/// Reads a record back with its digest; `None` where there is none, or not a whole one.
pub(crate) fn read(variables: &BTreeMap<String, String>) -> Option<(Definition, &str)> {
    let digest = variables.get(DIGEST)?;
    let record: String = (1..).map_while(|number| variables.get(&piece_name(number))).cloned().collect();
    let packed = URL_SAFE_NO_PAD.decode(record).ok()?;
    let mut text = Vec::new();
    DeflateDecoder::new(packed.as_slice()).take(LARGEST).read_to_end(&mut text).ok()?;
    let definition: Definition = serde_json::from_slice(&text).ok()?;
    (definition.digest() == *digest).then_some((definition, digest))
}

/// Whether a variable is part of a record.
pub(crate) fn holds(name: &str) -> bool {
    let piece = |rest: &str| rest.strip_prefix('_').is_some_and(|number| number.parse::<usize>().is_ok());
    name.strip_prefix(DIGEST).is_some_and(|rest| rest.is_empty() || piece(rest))
}

fn piece_name(number: usize) -> String {
    format!("{DIGEST}_{number}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mdo_model::project::Security;
    use mdo_model::stack::ApiRoute;

    use super::*;

    fn definition(routes: usize) -> Definition {
        let target = |number: usize| ApiRoute {
            function: format!("f{number}").parse().expect("a name"),
            security: Security::Key,
            timeout_ms: 29_000,
        };
        let route =
            |number: usize| (format!("GET /r{number}/{{id}}").parse().expect("a route"), target(number));
        Definition {
            description: "Über ~ all".to_owned(),
            routes: (0..routes).map(route).collect(),
            cors: true,
            binary_media_types: BTreeSet::from(["image/*".parse().expect("a media type")]),
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written_whatever_its_size() {
        for routes in [0, 1, 30, 300] {
            let wanted = definition(routes);
            let written = variables(&wanted);
            assert_eq!(read(&written), Some((wanted.clone(), wanted.digest().as_str())));
            assert!(written.keys().all(|name| holds(name)));
            // The quotas of stage variables: 100 of them, 512 characters each, of these characters only.
            assert!(written.len() <= 100, "{} variables", written.len());
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c);
            assert!(written.values().all(|value| value.len() <= PIECE && value.chars().all(is_allowed)));
        }
    }

    #[test]
    fn a_record_that_is_not_whole_is_none() {
        let mut cut = variables(&definition(300));
        cut.remove("definition_2");
        assert_eq!(read(&cut), None);
        let mut other = variables(&definition(3));
        other.insert(DIGEST.to_owned(), "0".repeat(32));
        assert_eq!(read(&other), None);
        assert_eq!(read(&BTreeMap::new()), None);
    }

    #[test]
    fn a_variable_of_somebody_else_is_not_part_of_it() {
        assert!(!holds("alias") && !holds("definitions") && !holds("definition_x") && !holds("definition_"));
    }
}
