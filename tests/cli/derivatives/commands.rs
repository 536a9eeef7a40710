//! `mdo derivative create`, `lock`, `build`, `list` and `pin`.

use std::fs;

use mdo_model::project::Architecture;
use serde_json::json;

use super::wheel::Wheel;
use super::{complained, mdo, printed, project, project_that_wants, runtime, settings, wheels};

#[test]
fn one_is_created_locked_built_and_given_to_a_function() {
    let project = project();
    let output = mdo(&project, "derivative create colours colours --function sample").exits(0);
    assert_eq!(
        printed(&output),
        "  wrote  derivatives/colours/requirements.in
  wrote  derivatives/colours/requirements.txt
colours  python3.X CPU, 2 packages, _ bytes, _ KB zipped
  .mdo/derivatives/SHA256/zip/SHA256.zip
  sha256 SHA256
  imported colours, shades

function sample runs with colours now: mdo dev, or mdo deploy
"
    );
    assert_eq!(complained(&output), "");
    assert_eq!(project.read("derivatives/colours/requirements.in"), "colours\n");
    assert!(project.read("derivatives/colours/requirements.txt").contains("\ncolours==1.0 \\\n"));
    assert_eq!(settings(&project, "sample")["derivatives"], json!(["colours"]));
    mdo(&project, "plan --local").succeeds();
}

#[test]
fn one_that_is_there_is_not_created_again() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative create colours shades").exits(2).prints("").complains(
        "error: there is a derivative `colours` of other packages already; nothing was written
  help: name packages in derivatives/colours/requirements.in, then: mdo derivative lock colours
",
    );
    assert_eq!(project.read("derivatives/colours/requirements.in"), "colours\n");
    // The same command once more goes on where it stopped.
    mdo(&project, "derivative create colours colours --function sample").exits(0);
    assert_eq!(settings(&project, "sample")["derivatives"], json!(["colours"]));
}

#[test]
fn one_that_a_function_names_already_is_created_as_its_error_says() {
    let project = project_that_wants("colours\n");
    project.set("sample", "derivatives", json!(["colours", "paint"]));
    mdo(&project, "plan --local").exits(2).says("help: `mdo derivative create paint PACKAGE…` makes it");
    mdo(&project, "derivative create paint shades --function sample").exits(0);
    assert_eq!(settings(&project, "sample")["derivatives"], json!(["colours", "paint"]));
}

#[test]
fn nothing_is_left_behind_where_a_package_does_not_exist() {
    let project = project();
    let before = settings(&project, "sample");
    let output = mdo(&project, "derivative create colours colors --function sample").exits(2);
    assert_eq!(
        (output.stdout.as_str(), complained(&output).as_str()),
        (
            "",
            "error: derivative colours: uv cannot lock its requirements
  error: No solution found when resolving dependencies
    cause: Because colors was not found in the provided package locations and you require colors, we can conclude that your requirements are unsatisfiable.
  help: correct `colors` in derivatives/colours/requirements.in, or name its index in UV_INDEX_URL
"
        )
    );
    assert!(!project.path("derivatives").exists());
    assert_eq!(settings(&project, "sample"), before);
}

#[test]
fn what_is_no_package_and_a_function_that_is_not_there_are_refused_before_anything_is_written() {
    let project = project();
    mdo(&project, "derivative create paint -- shades -r").exits(2).prints("").complains(
        "error: `-r` is not a package; nothing was written
  help: name packages as pip does, as in \"numpy>=2\"; options such as -r go into derivatives/paint/requirements.in
",
    );
    mdo(&project, "derivative create paint shades --function sampel").exits(2).prints("").complains(
        "error: no function matches `sampel`
  help: did you mean `sample`?
",
    );
    assert!(!project.path("derivatives").exists());
}

#[test]
fn a_lock_names_the_versions_that_changed() {
    let project = project_that_wants("colours\n");
    let lock = |flags: &str| mdo(&project, &format!("derivative lock{flags}")).exits(0).stdout;
    assert_eq!(
        lock(""),
        "colours  2 packages  derivatives/colours/requirements.txt\n  colours 1.0 (new)\n  shades 0.3 (new)\n"
    );
    Wheel::module("colours", "1.1").write(&wheels(&project));
    assert_eq!(lock(""), "colours  2 packages, as before  derivatives/colours/requirements.txt\n");
    assert_eq!(
        lock(" colours --upgrade"),
        "colours  1 package  derivatives/colours/requirements.txt\n  colours 1.0 → 1.1\n  shades 0.3 (gone)\n"
    );
}

#[test]
fn a_build_says_the_same_again_and_from_nothing() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock").exits(0);
    let first = mdo(&project, "derivative build").exits(0);
    assert_eq!(
        printed(&first),
        "colours  python3.X CPU, 2 packages, _ bytes, _ KB zipped
  .mdo/derivatives/SHA256/zip/SHA256.zip
  sha256 SHA256
  imported colours, shades
"
    );
    let again = mdo(&project, "derivative build colours").exits(0);
    assert_eq!(again.stdout, first.stdout);
    let document = mdo(&project, "derivative build --json").exits(0).document();
    project.remove(".mdo");
    let anew = mdo(&project, "derivative build --json").exits(0).document();
    assert_eq!(anew, document);
    let sha256 = document["built"][0]["zips"][0]["sha256"].as_str().unwrap();
    assert!(first.stdout.contains(&format!("\n  sha256 {sha256}\n")), "{document:#}");
}

#[test]
fn the_list_tells_packages_functions_and_what_is_wrong() {
    let project = project_that_wants("colours\n");
    project.write("derivatives/paint/requirements.in", "shades\n");
    mdo(&project, "derivative lock colours").exits(0);
    let output = mdo(&project, "derivative list").succeeds();
    let platform = format!("{} {}", runtime(), Architecture::of_this_machine().unwrap());
    let blanks = " ".repeat(platform.len() - "for".len());
    assert_eq!(
        output.stdout.replace(&platform, "PLATFORM"),
        format!(
            "  derivative  packages  for{blanks}  functions  lock
  colours     2         PLATFORM  sample     up to date
  paint       0         PLATFORM  -          derivatives/paint has no requirements.txt
"
        )
    );
    let document = mdo(&project, "derivative list --json").json();
    let inputs = document["derivatives"][0]["inputs"].clone();
    let id = format!("colours-{}-{}", runtime().replace('.', "_"), Architecture::of_this_machine().unwrap());
    assert_eq!(inputs[id].as_str().map(str::len), Some(64));
    assert_eq!(
        document,
        json!({
            "version": 1,
            "project": "shop",
            "derivatives": [
                {
                    "name": "colours",
                    "platforms": [platform],
                    "packages": {"colours": "1.0", "shades": "0.3"},
                    "zip": null,
                    "functions": ["sample"],
                    "inputs": inputs,
                    "problem": null,
                },
                {
                    "name": "paint",
                    "platforms": [platform],
                    "packages": {},
                    "zip": null,
                    "functions": [],
                    "inputs": {},
                    "problem": "derivatives/paint has no requirements.txt",
                },
            ],
        })
    );
}

#[test]
fn a_project_without_one_is_told_how_to_make_one() {
    let project = project();
    mdo(&project, "derivative list")
        .succeeds()
        .prints("the project has no derivative: `mdo derivative create NAME PACKAGE…` makes one\n");
    mdo(&project, "derivative lock").exits(2).prints("").complains(
        "error: the project has no derivative\n  help: `mdo derivative create NAME PACKAGE…` makes one\n",
    );
}

#[test]
fn a_zip_that_is_pinned_is_built_once_and_is_the_only_one() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock").exits(0);
    let document = mdo(&project, "derivative build --json").exits(0).document();
    let zip = document["built"][0]["zips"][0].clone();
    fs::copy(project.path(zip["path"].as_str().unwrap()), project.path("colours.zip")).unwrap();
    project.remove("derivatives");
    project.write("project.toml", "name = \"shop\"\n\n[derivatives.colours]\nzip = \"colours.zip\"\n");

    let output = mdo(&project, "derivative pin colours").succeeds();
    assert_eq!(printed(&output), "pinned colours to sha256 SHA256 in project.toml\n");
    let pinned = format!("sha256 = {}\n", zip["sha256"]);
    assert!(project.read("project.toml").ends_with(&pinned), "{}", project.read("project.toml"));
    let listed = mdo(&project, "derivative list").succeeds().stdout;
    let row: Vec<&str> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[1], row[row.len() - 1]), ("zip", "pinned"), "{listed}");
    mdo(&project, "plan --local").exits(0);

    project.write("colours.zip", "another");
    let output = mdo(&project, "plan --local").exits(2);
    assert_eq!(
        complained(&output),
        "error: derivative colours: the sha256 of colours.zip is SHA256, project.toml says SHA256
  help: if you trust the new one: mdo derivative pin colours
"
    );
}

#[test]
fn one_that_is_locked_is_not_pinned() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative pin colours").exits(2).prints("").complains(
        "error: derivative colours is no prebuilt zip: its lock pins what is in it
  help: mdo derivative lock colours
",
    );
}
