//! What the commands of derivatives print with `--json`, and several derivatives of which some fail.

use std::fs;

use serde_json::json;

use super::{complained, mdo, printed, project, project_that_wants};

#[test]
fn a_derivative_that_is_created_is_one_document() {
    let project = project();
    let document =
        mdo(&project, "derivative create colours colours --function sample --json").exits(0).document();
    let built = document["built"].clone();
    assert_eq!(built[0]["packages"], json!({"colours": "1.0", "shades": "0.3"}));
    assert_eq!(
        document,
        json!({
            "version": 1,
            "project": "shop",
            "wrote": ["derivatives/colours/requirements.in", "derivatives/colours/requirements.txt"],
            "locked": {
                "name": "colours",
                "wanted": "derivatives/colours/requirements.in",
                "path": "derivatives/colours/requirements.txt",
                "packages": {"colours": "1.0", "shades": "0.3"},
                "changes": [
                    {"name": "colours", "from": null, "to": "1.0"},
                    {"name": "shades", "from": null, "to": "0.3"},
                ],
                "warning": null,
            },
            "built": built,
            "function": "sample",
        })
    );
}

#[test]
fn a_zip_that_is_pinned_is_one_document() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock").exits(0);
    let built = mdo(&project, "derivative build --json").exits(0).document();
    let path = built["built"][0]["zips"][0]["path"].as_str().unwrap();
    let zip = fs::read(project.path(path)).unwrap();
    fs::write(project.path("colours.zip"), &zip).unwrap();
    project.remove("derivatives");
    project.write("project.toml", "name = \"shop\"\n\n[derivatives.colours]\nzip = \"colours.zip\"\n");
    let document = mdo(&project, "derivative pin colours --json").exits(0).document();
    let sha256 = mdo_model::Sha256::of(&zip).to_string();
    assert!(project.read("project.toml").contains(&sha256));
    assert_eq!(
        document,
        json!({"version": 1, "project": "shop", "name": "colours", "zip": "colours.zip", "sha256": sha256})
    );
}

#[test]
fn an_error_of_each_command_is_one_document() {
    let project = project_that_wants("colours\n");
    for (arguments, message) in [
        (
            "create colours shades --json",
            "there is a derivative `colours` of other packages already; nothing was written",
        ),
        ("lock colors --json", "there is no derivative `colors`"),
        ("pin colours --json", "derivative colours is no prebuilt zip: its lock pins what is in it"),
    ] {
        let document = mdo(&project, &format!("derivative {arguments}")).exits(2).document();
        assert_eq!(document["error"]["message"], message);
        assert_eq!(document["error"]["exit_code"], 2);
        assert_eq!(document["errors"].as_array().map(Vec::len), Some(1));
    }
}

const NO_COLORS: &str = "error: derivative a-first: uv cannot lock its requirements
  error: No solution found when resolving dependencies
    cause: Because colors was not found in the provided package locations and you require colors, we can conclude that your requirements are unsatisfiable.
  help: correct `colors` in derivatives/a-first/requirements.in, or name its index in UV_INDEX_URL
";

#[test]
fn a_lock_that_fails_does_not_keep_the_others_from_theirs() {
    let project = project_that_wants("colours\n");
    project.write("derivatives/a-first/requirements.in", "colors\n");
    let output = mdo(&project, "derivative lock").exits(2);
    assert_eq!(
        output.stdout,
        "colours  2 packages  derivatives/colours/requirements.txt\n  colours 1.0 (new)\n  shades 0.3 (new)\n"
    );
    assert_eq!(complained(&output), NO_COLORS);

    let output = mdo(&project, "derivative lock --json").exits(2);
    let document = output.document();
    assert_eq!(document["locked"][0]["name"], "colours");
    assert_eq!(document["locked"][0]["changes"], json!([]));
    assert_eq!(document["error"]["exit_code"], 2);
    assert_eq!(document["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(complained(&output), NO_COLORS);
}

#[test]
fn a_build_that_fails_does_not_keep_the_others_from_theirs() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock colours").exits(0);
    project.write("derivatives/a-first/requirements.in", "shades\n");
    project.write("derivatives/z-last/requirements.in", "shades\n");
    let output = mdo(&project, "derivative build").exits(2);
    assert!(printed(&output).starts_with("colours  python3.X CPU, 2 packages"), "{}", output.stdout);
    assert_eq!(
        complained(&output),
        "error: derivative a-first: derivatives/a-first has no requirements.txt
  help: mdo derivative lock a-first
error: derivative z-last: derivatives/z-last has no requirements.txt
  help: mdo derivative lock z-last
"
    );
    let document = mdo(&project, "derivative build --json").exits(2).document();
    assert_eq!(document["built"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["errors"].as_array().map(Vec::len), Some(2));
    fs::remove_dir_all(project.path("derivatives/colours")).unwrap();
    project.set("sample", "derivatives", json!(null));
    let document = mdo(&project, "derivative build --json").exits(2).document();
    assert_eq!(document["built"], json!(null));
    assert_eq!(document["errors"].as_array().map(Vec::len), Some(2));
}
