//! What is refused, with which status and in whose words.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{get, golden_json, query_pairs, refusal, respond, sha256};

/// `{'n_samples': 0}` as JSON; `None` for what a query cannot say.
fn python_literal(text: &str) -> Option<Value> {
    let json = text
        .replace('\'', "\"")
        .replace("nan", "\"nan\"")
        .replace("inf", "\"inf\"")
        .replace("\"n_\"inf\"ormative\"", "\"n_informative\"");
    serde_json::from_str(&json).ok()
}

#[test]
fn n_classes_of_the_environment_is_read_as_int_reads_it() {
    for (written, expected) in golden_json("errors.json").as_object().unwrap() {
        let text =
            written.strip_prefix('\'').map(|text| text.strip_suffix('\'').unwrap().replace("\\n", "\n"));
        match expected["msg"].as_str() {
            Some(message) => {
                let (status, parameter, detail) = refusal(&json!({}), text.as_deref());
                assert_eq!((status, parameter.as_str(), detail.as_str()), (500, "", message), "{written}");
            }
            None => {
                let response = respond(&json!({}), text.as_deref());
                assert_eq!(sha256(response.body), expected["ok_sha256_body"].as_str().unwrap(), "{written}");
            }
        }
    }
}

#[test]
fn n_classes_of_the_query_is_the_caller_s_own_fault() {
    for (written, expected) in golden_json("errors.json").as_object().unwrap() {
        let Some(message) = expected["msg"].as_str().filter(|message| !message.contains("int()")) else {
            continue;
        };
        let text = written.trim_matches('\'');
        let (status, parameter, detail) = refusal(&get(&[("n_classes", text)]), None);
        assert_eq!((status, parameter.as_str(), detail.as_str()), (400, "n_classes", message), "{written}");
    }
}

#[test]
fn parameters_are_refused_in_scikit_learn_s_words() {
    let mut refused = 0;
    for case in golden_json("param_errors.json").as_array().unwrap() {
        let (written, outcome) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        let Some(parameters) = python_literal(written) else {
            continue;
        };
        let pairs = query_pairs(&parameters);
        let event = get(&pairs);
        let name = pairs[0].0.as_str();
        if outcome.starts_with("OK") || matches!(name, "hypercube") || written.contains("True") {
            continue;
        }
        refused += 1;
        let message = outcome.split_once(": ").unwrap().1;
        assert_eq!(refusal(&event, Some("2")), (400, name.to_owned(), message.to_owned()), "{written}");
    }
    assert_eq!(refused, 17);
}

#[test]
fn weights_outside_0_to_1_are_legal() {
    let target = |weights: &str| {
        let response = respond(&get(&[("weights", weights), ("flip_y", "0")]), Some("2"));
        assert_eq!(response.status_code, 200, "{}", response.body);
        let body: Value = serde_json::from_str(&response.body).unwrap();
        let labels: Vec<u64> =
            body["target"].as_array().unwrap().iter().map(|label| label.as_u64().unwrap()).collect();
        labels.iter().filter(|label| **label == 0).count()
    };
    assert_eq!(target("0.3"), 30);
    assert_eq!(target("1.5"), 100);
    assert_eq!(target("-0.5"), 50);
    assert_eq!(target("0.9,0.9"), 90);
}

#[test]
fn the_first_wrong_parameter_in_scikit_learn_s_order_is_reported() {
    let (_, parameter, _) =
        refusal(&get(&[("random_state", "-1"), ("n_samples", "0"), ("flip_y", "2")]), Some("2"));
    assert_eq!(parameter, "n_samples");
    let (_, parameter, _) = refusal(&get(&[("weights", "nan"), ("n_features", "1")]), Some("2"));
    assert_eq!(parameter, "n_features");
}

#[test]
fn a_list_that_does_not_fit_the_columns_is_refused_in_numpy_s_words() {
    let detail = |name: &str, list: &str, columns: &str| {
        refusal(&get(&[(name, list), ("n_features", columns), ("n_informative", "1")]), Some("2"))
    };
    assert_eq!(
        detail("shift", "1,2,3", "2"),
        (
            400,
            "shift".to_owned(),
            "operands could not be broadcast together with shapes (100,2) (3,) (100,2) ".to_owned()
        )
    );
    assert_eq!(
        detail("scale", "[]", "1").2,
        "non-broadcastable output operand with shape (100,1) doesn't match the broadcast shape (100,0)"
    );
}

#[test]
fn an_unknown_parameter_is_refused_with_the_nearest_known_one() {
    let (status, parameter, detail) = refusal(&get(&[("n_sample", "10")]), Some("2"));
    assert_eq!((status, parameter.as_str()), (400, "n_sample"));
    assert_eq!(detail, "make_classification has no parameter 'n_sample'; did you mean 'n_samples'?");
    let (_, _, detail) = refusal(&get(&[("classSep", "1")]), Some("2"));
    assert!(detail.ends_with("did you mean 'class_sep'?"), "{detail}");
}

#[test]
fn the_environment_is_not_read_when_the_query_has_n_classes() {
    assert_eq!(respond(&get(&[("n_classes", "2")]), Some("nonsense")).status_code, 200);
}

#[test]
fn a_caller_who_narrows_the_hypercube_below_the_environment_s_classes_is_told() {
    let (status, parameter, _) = refusal(&get(&[("n_informative", "1")]), Some("4"));
    assert_eq!((status, parameter.as_str()), (400, "n_informative"));
    assert_eq!(respond(&get(&[("n_informative", "3"), ("n_features", "3")]), Some("5")).status_code, 200);
}

#[test]
fn an_error_is_a_json_api_document() {
    let response = respond(&get(&[("n_samples", "0")]), Some("2"));
    assert_eq!(
        response.body,
        r#"{"errors":[{"status":"400","code":"invalid_parameter","title":"Invalid query parameter","#
            .to_owned()
            + r#""detail":"The 'n_samples' parameter of make_classification must be an int in the range [1, inf). "#
            + r#"Got 0 instead.","source":{"parameter":"n_samples"}}]}"#
    );
}

#[test]
fn what_would_not_fit_is_refused_before_it_is_drawn() {
    for pairs in [
        vec![("n_samples", "1000000000")],
        vec![("n_features", "1000000000")],
        vec![("n_samples", "1000000000000000000000000000000000000000000")],
        vec![("n_samples", "600000")],
        vec![("n_informative", "100000"), ("n_features", "100000"), ("n_samples", "1")],
        vec![("n_informative", "20000"), ("n_features", "20000"), ("n_samples", "10")],
        vec![("n_informative", "40"), ("n_features", "40"), ("n_classes", "1000000000000")],
        vec![("n_informative", "64"), ("n_features", "64"), ("n_classes", "18446744073709551615")],
        vec![("n_informative", "30"), ("n_features", "30"), ("n_classes", "10737419")],
        vec![("n_informative", "30"), ("n_features", "30"), ("n_clusters_per_class", "536870912")],
        vec![("n_informative", "26"), ("n_features", "26"), ("n_classes", "700000")],
        vec![
            ("n_informative", "1000"),
            ("n_features", "1000"),
            ("n_classes", "2"),
            ("n_clusters_per_class", "500"),
        ],
        vec![("n_repeated", "999999998"), ("n_features", "1000000000")],
        vec![("n_redundant", "100000"), ("n_features", "100002"), ("n_samples", "100")],
    ] {
        let response = respond(&get(&pairs), Some("2"));
        assert_eq!(response.status_code, 400, "{pairs:?}");
        let document: Value = serde_json::from_str(&response.body).unwrap();
        let error = &document["errors"][0];
        assert_eq!(error["code"], "too_large", "{pairs:?}: {error}");
        let culprit = error["source"]["parameter"].as_str().unwrap();
        assert!(pairs.iter().any(|(name, _)| *name == culprit), "{pairs:?} blames {culprit}");
    }
}

#[test]
fn a_sample_that_is_larger_than_it_might_have_been_is_refused_while_it_is_written() {
    for more in [vec![("n_samples", "150000")], vec![("n_samples", "200000"), ("scale", "2")]] {
        let (status, parameter, _) = refusal(&get(&more), Some("2"));
        assert_eq!((status, parameter.as_str()), (400, "n_samples"));
    }
}

#[test]
fn a_sample_of_the_largest_size_that_fits_is_not_refused_too_early() {
    let largest = |pairs: &[(&str, &str)]| respond(&get(pairs), Some("2")).status_code;
    assert_eq!(largest(&[("n_samples", "144500")]), 200);
    assert_eq!(largest(&[("n_samples", "135000"), ("scale", "none"), ("shift", "none")]), 200);
    assert_eq!(largest(&[("n_samples", "135000"), ("class_sep", "0.001"), ("hypercube", "false")]), 200);
}

#[test]
fn a_large_sample_that_fits_is_answered() {
    let response = respond(&get(&[("n_samples", "120000")]), Some("2"));
    assert_eq!(response.status_code, 200);
    assert!((4_000_000..6_291_456).contains(&response.body.len()), "{}", response.body.len());
    let wide = [("n_informative", "2000"), ("n_features", "2000"), ("n_samples", "50")];
    assert_eq!(respond(&get(&wide), Some("2")).status_code, 200);
}
