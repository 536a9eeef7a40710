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

/// Every command's words, `[]` for mdo itself.
fn commands(project: &TestProject, words: &[String], found: &mut Vec<Vec<String>>) {
    let asked: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let help = project.mdo_with(&asked).exits(0).stdout;
    found.push(words.to_vec());
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
    for name in listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        commands(project, &[words, &[name.to_owned()]].concat(), found);
    }
}

/// Whether a line goes on with the sentence of the line before it.
fn goes_on(before: &str, line: &str) -> bool {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let is_text = !line.trim().is_empty() && !before.trim().is_empty() && !line.trim_start().starts_with('-');
    let is_alone = before.trim_start().starts_with(['-', '<', '[']) && !before.trim().contains("  ");
    let in_a_column = !is_alone && indentation(line) > 6 && !line.trim_start().starts_with("mdo ");
    let in_a_paragraph = indentation(line) == 0 && indentation(before) == 0 && !before.ends_with(':');
    is_text && (in_a_column || in_a_paragraph)
}

#[test]
fn no_line_of_a_help_is_too_long_or_broken_twice() {
    let project = TestProject::local();
    let mut all = Vec::new();
    commands(&project, &[], &mut all);
    assert!(all.len() > 10);
    for (words, width) in all.iter().flat_map(|words| [80, 100].map(|width| (words, width))) {
        let asked: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = project.mdo_with(&asked).env("COLUMNS", &width.to_string()).exits(0).stdout;
        let lines: Vec<&str> = help.lines().collect();
        for line in &lines {
            assert!(line.chars().count() <= width, "mdo {words:?} at {width}: {line}");
        }
        for pair in lines.windows(2).filter(|pair| goes_on(pair[0], pair[1])) {
            let next = pair[1].split_whitespace().next().unwrap();
            let with_next = pair[0].chars().count() + 1 + next.chars().count();
            assert!(with_next > width, "mdo {words:?} at {width}, broken twice:\n{}\n{}", pair[0], pair[1]);
        }
        let examples = lines.iter().skip_while(|line| **line != "Examples:").skip(1);
        for line in examples.take_while(|line| !line.is_empty()) {
            let begins = ["mdo ", "curl ", "cat "].iter().any(|word| line.trim_start().starts_with(word));
            assert!(begins, "mdo {words:?} at {width}, an example is broken: {line}");
        }
    }
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
