//! The tables of derivatives in project.toml, and the functions that name derivatives.

use crate::given::{Given, MINIMAL};

fn table(text: &str) -> Given {
    Given::project(&format!("{MINIMAL}\n{text}"))
}

#[test]
fn keys_that_need_or_exclude_each_other_are_told_with_their_places() {
    let digest = "0".repeat(64);
    table(&format!("[derivatives.x]\nsha256 = \"{digest}\"\n")).fails_with(
        "
        error: derivative x: `sha256` pins a prebuilt zip, and it has none
          --> project.toml:4:1
          help: set `zip`, or take `sha256` out",
    );
    table("[derivatives.x]\nzip = \"x.zip\"\nsource = [\"six\"]\nbytecode = false\n").fails_with(
        "
        error: derivative x: a prebuilt zip is taken as it is, without `source`
          --> project.toml:5:1
          help: take `source` or `zip` out
        error: derivative x: a prebuilt zip is taken as it is, without `bytecode`
          --> project.toml:6:1
          help: take `bytecode` or `zip` out",
    );
    table(&format!("[derivatives.x]\nzip = \"x.zip\"\nsha256 = \"{digest}\"\nexclude = [\"tests/\"]\n"))
        .load()
        .expect("a valid project");
}

#[test]
fn a_zip_has_a_path() {
    table("[derivatives.x]\nzip = \"\"\n").fails_with(
        "
        error: the path of the zip is empty
          --> project.toml:4:7
          help: write it from the project's folder",
    );
}

#[test]
fn an_address_is_encrypted_and_of_a_kind_that_is_known() {
    table("[derivatives.x]\nzip = \"http://example.com/x.zip\"\n").fails_with(
        "
        error: `http://example.com/x.zip` is not encrypted: who is on the way can change the zip
          --> project.toml:4:7
          help: write `https://…`",
    );
    table("[derivatives.x]\nzip = \"gs://shelf/x.zip\"\n").fails_with(
        "
        error: mdo fetches no zip from `gs://`
          --> project.toml:4:7
          help: write `s3://bucket/key`, `https://…` or a path from the project's folder",
    );
    for zip in ["s3://shelf/x.zip", "https://example.com/x.zip"] {
        let settings = table(&format!("[derivatives.x]\nzip = \"{zip}\"\n")).at("dev");
        let own = &settings.derivatives[&"x".parse().unwrap()];
        assert_eq!(own.zip.as_ref().map(ToString::to_string).as_deref(), Some(zip));
        assert_eq!(own.zip_place.as_ref().map(ToString::to_string).as_deref(), Some("project.toml:4:7"));
    }
}

#[test]
fn a_function_names_a_derivative_once() {
    let function = r#"{"runtime": "python3.13", "handler": "main.handle", "derivatives": ["np", "np"]}"#;
    let given = Given::project(MINIMAL).file("derivatives/np/requirements.in", "numpy\n");
    given.function("sums", function).fails_with(
        "
        error: function sums names the derivative `np` twice
          --> functions/sums/function.json:1:75
          help: take one of them out",
    );
}

#[test]
fn a_table_without_folder_and_zip_is_a_warning() {
    let given = table("[derivatives.sklaern]\nbytecode = false\n\n[derivatives.zipped]\nzip = \"a.zip\"\n");
    assert_eq!(
        given.warnings(),
        "warning: `[derivatives.sklaern]` has neither a folder derivatives/sklaern nor a `zip`\n\
         \x20 --> project.toml:3:14\n\
         \x20 help: `mdo derivative create sklaern PACKAGE…` makes the folder"
    );
    let given = given.file("derivatives/sklearn/requirements.in", "scikit-learn\n");
    assert!(given.warnings().ends_with("help: did you mean `sklearn`?"), "{}", given.warnings());
    assert_eq!(given.file("derivatives/sklaern/requirements.in", "").warnings(), "");
}
