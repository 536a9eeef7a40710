//! An `.mdoignore` means what the same lines in a `.gitignore` mean: git itself is asked.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::function::Function;

/// Patterns of every kind that git knows, and of some that other tools know and git does not.
const PATTERNS: [&str; 52] = [
    "a",
    "/a",
    "a/",
    "/a/",
    "a/b",
    "/a/b",
    "a/*",
    "a/**",
    "**/b",
    "**/b/c",
    "a/**/c",
    "**",
    "*",
    "*.c",
    "?.c",
    "a?c",
    "a*c",
    "*/b",
    "a**c",
    "a/**b",
    "{a,b}",
    "a{b,c}",
    "{a,b}.c",
    "[ab]",
    "[!ab]",
    "[^ab].c",
    "[a-c].c",
    "[c-a]",
    "[]a]",
    "[]",
    "[a",
    "a]",
    "[[:alpha:]].c",
    "[[:digit:]]",
    "[[:nope:]]",
    "[\\]]",
    "\\a",
    "\\#a",
    "#a",
    "\\!a",
    "!a",
    "a ",
    "a\\ ",
    "\\",
    "a\\",
    "[a\\-c]",
    "*/",
    "b/c/",
    "a/[!b]",
    "[a-]",
    "/*",
    "/*/c",
];

/// Names that the patterns tell apart; the folders `a`, `b` and `c` are among them, three deep.
const FILES: [&str; 16] =
    ["a.c", "d.c", "abc", "ac", "a]", "[a", "]", "5", "#a", "!a", "a ", "{a,b}", "a{b,c}", "-", "x", "[]"];

/// How many ignore files of three lines each are composed.
const FILES_OF_COMPOSED_PATTERNS: usize = 60;

/// A tree with the files in the folder, in `a`, `b`, `a/b`, `a/b/c` and `b/c`.
fn tree() -> (Function, Vec<String>) {
    let mut function = Function::ready();
    let mut names = vec!["bootstrap".to_owned()];
    for folder in ["", "a/", "b/", "a/b/", "a/b/c/", "b/c/", "b/a/b/c/"] {
        for file in FILES {
            let name = format!("{folder}{file}");
            function = function.file(&name, "");
            names.push(name);
        }
    }
    (function, names)
}

/// The names that git does not ignore; `None` without git.
fn left_by_git(folder: &Path, names: &[String]) -> Option<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["-c", "core.excludesFile=/dev/null", "check-ignore", "--stdin", "-z", "--no-index"]);
    git.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut git = git.spawn().ok()?;
    let mut stdin = git.stdin.take().unwrap();
    let asked: String = names.iter().map(|name| format!("{name}\0")).collect();
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = git.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let ignored = String::from_utf8(output.stdout).unwrap();
    let ignored: Vec<&str> = ignored.split('\0').collect();
    let mut left: Vec<String> =
        names.iter().filter(|name| !ignored.contains(&name.as_str())).cloned().collect();
    left.sort();
    Some(left)
}

/// Proves that an `.mdoignore` with these lines leaves what git leaves. The bootstrap is always taken back.
#[track_caller]
fn agrees(function: &Function, names: &[String], at: &str, lines: &str) {
    let lines = format!("{lines}\n");
    let (ours, gits) =
        (function.folder().join(at).join(".mdoignore"), function.folder().join(at).join(".gitignore"));
    fs::write(&ours, &lines).unwrap();
    fs::write(&gits, &lines).unwrap();
    let end = "!/bootstrap\n!.mdoignore\n";
    let root = function.folder();
    for file in [".mdoignore", ".gitignore"] {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        fs::write(root.join(file), format!("{text}{end}")).unwrap();
    }
    let Some(expected) = left_by_git(&root, names) else { return };
    let held: Vec<String> = function.names().into_iter().filter(|name| names.contains(name)).collect();
    assert_eq!(held, expected, "{lines:?} in {at:?}");
    for file in [ours, gits, root.join(".mdoignore"), root.join(".gitignore")] {
        let _ = fs::remove_file(file);
    }
}

fn with_git() -> Option<(Function, Vec<String>)> {
    let (function, names) = tree();
    let init = Command::new("git").args(["init", "-q"]).current_dir(function.folder()).status();
    init.is_ok_and(|status| status.success()).then_some((function, names))
}

#[test]
fn each_pattern_leaves_what_git_leaves() {
    let Some((function, names)) = with_git() else { return };
    for pattern in PATTERNS {
        agrees(&function, &names, "", pattern);
        agrees(&function, &names, "b", pattern);
    }
}

#[test]
fn lines_that_take_back_leave_what_git_leaves() {
    let Some((function, names)) = with_git() else { return };
    for lines in [
        "*\n!*/\n!*.c",
        "/*\n!/a\n/a/*\n!/a/b",
        "a\n!a/b",
        "*.c\n!a.c\na/a.c",
        "!a.c\n*.c",
        "**/c\n!c",
        "a/\r\n!x\r\n*.c\r",
        "\u{feff}a",
        "  a",
        "\ta",
        "a\t",
        "# a\n\n   \n*.c",
    ] {
        agrees(&function, &names, "", lines);
    }
}

/// A text of up to seven of the pieces that patterns are made of; the same for the same seed.
fn composed(seed: &mut u64) -> String {
    const PIECES: [&str; 16] = [
        "a", "b", "c", "/", "*", "**", "?", "[ab]", "[!a]", "[^/]", ".c", "\\", "{a,b}", "a/b", "**/", "/**",
    ];
    let mut next = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 40).unwrap()
    };
    (0..=next() % 6).map(|_| PIECES[next() % PIECES.len()]).collect()
}

#[test]
fn composed_patterns_leave_what_git_leaves() {
    let Some((function, names)) = with_git() else { return };
    let mut seed = 1;
    for _ in 0..FILES_OF_COMPOSED_PATTERNS {
        let lines: Vec<String> =
            (0..3).map(|at| ["", "!", ""][at].to_owned() + &composed(&mut seed)).collect();
        agrees(&function, &names, "", &lines.join("\n"));
    }
}
