//! The project's own folder `.mdo` when something in it leads elsewhere, as a repository may bring it along.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::project::TestProject;

fn age(path: &Path) {
    let days_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 60 * 60);
    File::options().write(true).open(path).unwrap().set_modified(days_ago).unwrap();
}

#[test]
fn tidying_does_not_delete_behind_a_link() {
    for link in [".mdo", ".mdo/packages"] {
        let project = TestProject::local_with_echo();
        let elsewhere = project.home().join("elsewhere");
        fs::create_dir_all(elsewhere.join("packages")).unwrap();
        let precious = [elsewhere.join("precious.zip"), elsewhere.join("packages/precious.zip")];
        for file in &precious {
            fs::write(file, "x").unwrap();
            age(file);
        }
        if link != ".mdo" {
            fs::create_dir(project.path(".mdo")).unwrap();
        }
        symlink(&elsewhere, project.path(link)).unwrap();
        for verb in ["plan --local", "deploy --local --yes", "dev --port 0"] {
            let output = project.mdo(verb).exits(1);
            output.prints("").complains(&format!(
                "error: ROOT/{link} is a link: mdo follows no link in its own folder
  help: remove the link and run again, mdo makes what it needs: rm 'ROOT/{link}'
"
            ));
        }
        assert!(precious.iter().all(|file| file.exists()));
    }
}

#[test]
fn tidying_removes_old_zips_and_nothing_else() {
    let project = TestProject::local_with_echo();
    project.mdo("plan --local").succeeds();
    let folder = project.path(".mdo/packages");
    let all = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mine: Vec<_> =
        all.filter(|path| path.extension().is_some_and(|extension| extension == "zip")).collect();
    assert_eq!(mine.len(), 1);
    let old = folder.join(format!("{}.zip", "a".repeat(64)));
    let notes = folder.join("notes.txt");
    let outside = project.home().join("outside.zip");
    for file in [&old, &notes, &outside] {
        fs::write(file, "x").unwrap();
        age(file);
    }
    let link = folder.join(format!("{}.zip", "b".repeat(64)));
    symlink(&outside, &link).unwrap();
    project.mdo("plan --local").succeeds();
    assert!(!old.exists());
    assert!(mine[0].exists() && notes.exists() && outside.exists() && link.is_symlink());
}

#[test]
fn schemas_are_not_written_through_a_link() {
    let project = TestProject::local_with_echo();
    let victim = project.home().join("victim.json");
    fs::write(&victim, "precious").unwrap();
    fs::create_dir_all(project.path(".mdo/schema")).unwrap();
    symlink(&victim, project.path(".mdo/schema/project.json")).unwrap();
    project.mdo("dev --port 0").exits(1).prints("").complains(
        "error: ROOT/.mdo/schema/project.json is a link: mdo follows no link in its own folder
  help: remove the link and run again, mdo makes what it needs: rm 'ROOT/.mdo/schema/project.json'
",
    );
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[test]
fn everything_in_it_is_for_its_owner_alone() {
    let project = TestProject::local_with_echo();
    fs::create_dir(project.path(".mdo")).unwrap();
    fs::set_permissions(project.path(".mdo"), fs::Permissions::from_mode(0o755)).unwrap();
    let serving = project.mdo("dev --port 0").serves();
    let mut folders = vec![project.path(".mdo")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        // What a package holds keeps its modes, behind a folder that is closed.
        if folder.parent().is_some_and(|parent| parent.ends_with(".mdo/code")) {
            continue;
        }
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            seen += 1;
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    assert!(seen > 10, "{seen}");
    serving.signal("INT");
    serving.exits(0);
}

#[test]
fn what_stands_in_the_way_there_is_a_failure_of_every_verb_and_not_one_of_access() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    let state = project.path(".mdo/stages/dev/state.json");
    fs::remove_file(&state).unwrap();
    fs::create_dir(&state).unwrap();
    for verb in [
        "plan --local",
        "deploy --local",
        "dev --port 0",
        "invoke echo --local",
        "warm --local",
        "warm --local --rate 3m",
        "key list --local",
        "key create alice --local",
        "key show default --local",
        "key delete default --yes --local",
        "list --local",
        "destroy --local --yes",
    ] {
        let output = project.mdo(verb).exits(1);
        output
            .prints("")
            .complains("error: cannot read ROOT/.mdo/stages/dev/state.json: Is a directory (os error 21)\n");
    }
}
