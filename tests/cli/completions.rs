//! What shells complete, and the manual pages.

use std::fs;

use crate::support::project::TestProject;

/// What a shell is offered for the last of these words.
fn offered(project: &TestProject, words: &[&str]) -> Vec<String> {
    let index = (words.len() - 1).to_string();
    let mut asked = vec!["--"];
    asked.extend(words);
    let output = project
        .mdo_with(&asked)
        .env("MDO_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", &index)
        .env("_CLAP_IFS", "\n")
        .exits(0);
    output.stdout.lines().map(str::to_owned).filter(|offer| !offer.starts_with('-')).collect()
}

#[test]
fn a_shell_completes_the_names_of_functions_stages_and_keys() {
    let project = TestProject::local_with_echo();
    project.add_function("cart", serde_json::json!({}));
    project.write("project.toml", "name = \"shop\"\n\n[stages.prod]\nmemory = 256\n");
    assert_eq!(offered(&project, &["mdo", "logs", ""]), ["cart", "echo"]);
    assert_eq!(offered(&project, &["mdo", "invoke", "ec"]), ["echo"]);
    assert_eq!(offered(&project, &["mdo", "rollback", "--stage", ""]), ["prod"]);
    assert_eq!(offered(&project, &["mdo", "can"]), ["canary"]);
    project.write("project.toml", "name = \"shop\"\n");
    project.mdo("deploy --local --stage alice").succeeds();
    project.mdo("key create partner --local --stage alice").succeeds();
    assert_eq!(offered(&project, &["mdo", "promote", ""]), ["alice"]);
    assert_eq!(offered(&project, &["mdo", "key", "show", ""]), ["default", "partner"]);
    // Where there is no project, or one with mistakes, it says nothing that would stand in a command line.
    assert_eq!(offered(&TestProject::local(), &["mdo", "logs", ""]), Vec::<String>::new());
    project.write("project.toml", "name = [");
    assert_eq!(offered(&project, &["mdo", "logs", ""]), ["cart", "echo"]);
}

#[test]
fn every_shell_has_its_script_and_every_command_its_page() {
    let project = TestProject::local();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        project.mdo(&format!("completions {shell}")).succeeds().says("MDO_COMPLETE");
    }
    project.mdo("completions tcsh").exits(2);
    project.mdo("man").succeeds().says(".TH mdo 1");
    project.mdo("man key rotate").succeeds().says("mdo\\-key\\-rotate \\- Give a key another value");
    project.mdo("man nope").exits(2).says("there is no command `nope`");
    project.mdo("man --out pages").succeeds().prints("");
    let pages = fs::read_dir(project.path("pages")).unwrap().count();
    assert!(pages > 25 && fs::exists(project.path("pages/mdo-key-rotate.1")).unwrap(), "{pages}");
    project.write("file", "");
    project.mdo("man --out file").exits(1).says("cannot write manual pages into file");
}
