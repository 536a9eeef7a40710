//! What is published of the command, its reference and the schema of its documents, is what the command itself says.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::project::TestProject;

/// Set, it writes the reference anew instead of comparing it.
const WRITE: &str = "MDO_WRITE_DOCS";

/// The text of `mdo … --help` for a command and all commands below it.
fn describe(project: &TestProject, words: &[&str], text: &mut String) {
    let mut asked = words.to_vec();
    asked.push("--help");
    let output = project.mdo_with(&asked).exits(0);
    let title: String = words.iter().map(|word| format!(" {word}")).collect();
    let _ = write!(text, "\n## mdo{title}\n\n```text\n{}\n```\n", output.stdout.trim_end());
    let commands = output.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| line.starts_with("  ")) {
        let name = line.split_whitespace().next().unwrap();
        if line.starts_with("   ") || name == "help" {
            continue;
        }
        describe(project, &[words, &[name]].concat(), text);
    }
}

#[test]
fn the_reference_of_the_command_line_is_what_the_command_says() {
    let mut text = "# The command line\n\nMade from the command's own help by `MDO_WRITE_DOCS=1 cargo test -p mdo --test cli manual::`.\n"
        .to_owned();
    describe(&TestProject::local(), &[], &mut text);
    is_written("docs/cli.md", &text);
}

#[test]
fn the_documents_of_json_have_the_schema_that_is_published() {
    let schema = TestProject::local().mdo("schema output").succeeds();
    is_written("docs/output.schema.json", &schema.stdout);
}

/// Proves that a file of the repository holds what the command says, or makes it so.
fn is_written(name: &str, said: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os(WRITE).is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, said).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    for (written, said) in written.lines().zip(said.lines()) {
        assert_eq!(written, said, "{name}: write it anew with {WRITE}=1");
    }
    assert_eq!(written.lines().count(), said.lines().count(), "{name}: write it anew with {WRITE}=1");
}
