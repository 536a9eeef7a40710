//! The folder `.mdo`: closed to others, and never a way out of itself.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use mdo_package::OwnFolder;

use super::function::Function;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_link_on_any_step_of_the_way_is_refused_and_named() {
    for (link, below) in [
        (".mdo", "packages"),
        (".mdo/packages", "packages"),
        (".mdo/stages", "stages/dev"),
        (".mdo/stages/dev", "stages/dev"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let link = root.path().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&elsewhere, &link).unwrap();
        // One that leads nowhere yet is followed as well when something is made.
        for _ in 0..2 {
            let error = OwnFolder::of(root.path()).folder(below).unwrap_err();
            let link = link.display();
            assert_eq!(error.to_string(), format!("{link} is a link: mdo follows no link in its own folder"));
            let help = format!("remove the link and run again, mdo makes what it needs: rm '{link}'");
            assert_eq!(error.help(), help);
            assert_eq!(elsewhere.read_dir().map(Iterator::count).unwrap_or(0), 0);
            let _ = fs::remove_dir(&elsewhere);
        }
    }
}

#[test]
fn a_file_is_not_written_through_a_link() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnFolder::of(root.path());
    own.folder("schema").unwrap();
    let victim = root.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, root.path().join(".mdo/schema/project.json")).unwrap();
    assert!(own.write("schema/project.json", b"{}").is_err());
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[test]
fn it_is_closed_to_others_even_if_an_earlier_mdo_left_it_open() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().join(".mdo");
    fs::create_dir_all(base.join("stages/dev")).unwrap();
    for folder in ["", "stages", "stages/dev"] {
        fs::set_permissions(base.join(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let own = OwnFolder::of(root.path());
    own.folder("stages/dev").unwrap();
    own.write("stages/dev/state.json", b"{}").unwrap();
    for folder in ["", "stages", "stages/dev"] {
        assert_eq!(mode(&base.join(folder)), 0o700, "{folder}");
    }
    for file in [".gitignore", "stages/dev/state.json"] {
        assert_eq!(mode(&base.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(root.path()), 0o755, "the project's folder is its owner's affair");
    assert_eq!(fs::read_to_string(base.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_zip_may_hold_secrets_and_is_for_its_owner_alone() {
    let function = Function::ready();
    let package = function.package().unwrap();
    assert_eq!(mode(&package.path), 0o600);
}
