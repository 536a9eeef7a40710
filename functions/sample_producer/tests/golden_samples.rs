//! Samples that scikit-learn drew, drawn again.
#![allow(clippy::unwrap_used)]

mod support;

use sample_producer::environment::Environment;
use sample_producer::make_classification::{Sample, make_classification};
use sample_producer::parameters::Parameters;
use serde_json::{Value, json};
use support::{get, golden, golden_json, golden_lines, query_pairs, respond, sha256};

fn draw(parameters: &Value) -> Sample {
    let query = query_pairs(parameters).into_iter().collect();
    let environment = Environment::with_n_classes(None::<&str>);
    let parameters = Parameters::read(&query, &environment).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    make_classification(&parameters)
}

fn sha_of_x(sample: &Sample) -> String {
    sha256(sample.x.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn sha_of_y(sample: &Sample) -> String {
    sha256(sample.y.iter().flat_map(|label| i64::from(*label).to_le_bytes()).collect::<Vec<u8>>())
}

/// `-0x1.8p+1` as a number.
fn hexadecimal(text: &str) -> f64 {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let (mantissa, exponent) = text.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap();
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap();
    let exponent = exponent.parse::<i32>().unwrap() - 4 * fraction.len() as i32;
    sign * digits as f64 * 2_f64.powi(exponent)
}

#[test]
fn the_guide_s_body_is_python_s_text() {
    for (n_classes, sha) in [
        ("2", "d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241"),
        ("3", "32bc447ecd3caa66680b55b3a8b45418597958f9f37bdf43be418af6ef4f50ea"),
        ("4", "8ae8eaa97e5dc8ecd7d62e41611e53ccca9ef0b2136322fb918b0096f0a4429b"),
    ] {
        let response = respond(&json!({}), Some(n_classes));
        assert_eq!(response.status_code, 200);
        assert_eq!(sha256(&response.body), sha);
    }
    for n_classes in ["1", "2", "3", "4"] {
        let body = golden(&format!("n_classes_{n_classes}.body.json"));
        let answer = respond(&json!({}), Some(n_classes));
        assert_eq!(answer.body, body);
        assert_eq!(respond(&get(&[("n_classes", n_classes)]), None).body, body);
        let response = golden_json(&format!("n_classes_{n_classes}.response.json"));
        assert_eq!(serde_json::to_value(answer).unwrap(), response);
    }
}

#[test]
fn every_sample_of_domain_d_is_bit_identical() {
    let lines = golden_lines("domain_d.jsonl");
    assert_eq!(lines.len(), 300);
    for line in lines {
        let sample = draw(&line["params"]);
        assert_eq!(sha_of_y(&sample), line["sha_y"].as_str().unwrap(), "{}", line["params"]);
        assert_eq!(sha_of_x(&sample), line["sha_X"].as_str().unwrap(), "{}", line["params"]);
    }
}

#[test]
fn elsewhere_labels_are_identical_and_values_within_1e_12() {
    let lines = golden_lines("wide.jsonl");
    assert_eq!(lines.len(), 200);
    for line in lines {
        let sample = draw(&line["params"]);
        assert_eq!(sha_of_y(&sample), line["sha_y"].as_str().unwrap(), "{}", line["params"]);
        assert_eq!(sha_of_x(&sample), line["sha_X_seqfma"].as_str().unwrap(), "{}", line["params"]);
        let rows = line["X5"].as_array().unwrap().iter().map(|row| row.as_array().unwrap());
        for (row, expected) in sample.x.chunks(sample.n_features).zip(rows) {
            for (value, expected) in row.iter().zip(expected) {
                let expected = hexadecimal(expected.as_str().unwrap());
                assert!((value - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{}", line["params"]);
            }
        }
    }
}
