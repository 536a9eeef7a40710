//! Locking what a derivative wants, and telling a lock that no longer belongs to it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mdo_package::derivative::{self, DerivativeError, LockOptions, PythonRuntime, Tools, find_uv_with};

use super::project::Project;
use super::wheel::Wheel;

#[test]
fn pins_with_hashes_and_says_what_is_new() {
    let project = Project::new()
        .wheel(Wheel::module("colours", "1.0").requires("shades"))
        .wheel(Wheel::module("shades", "0.3"))
        .wants("colours\n");
    let locked = project.lock().unwrap();
    let pinned: Vec<_> = locked.packages.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
    assert_eq!(pinned, ["colours 1.0", "shades 0.3"]);
    let changes: Vec<_> = locked.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["colours 1.0 (new)", "shades 0.3 (new)"]);
    let text = fs::read_to_string(&locked.path).unwrap();
    assert!(text.starts_with(
        "# Written by `mdo derivative lock sklearn`. Change requirements.in, and lock again.\n"
    ));
    assert_eq!(text.matches("--hash=sha256:").count(), 2);
    assert_eq!(project.lock_text(project.recipe.runtime).unwrap(), text);
    assert_eq!(fs::metadata(&locked.path).unwrap().permissions().mode() & 0o777, 0o644);
    let mut left = super::project::names(&project.folder());
    left.sort();
    assert_eq!(left, ["requirements.in", "requirements.txt"]);
}

#[test]
fn keeps_versions_until_an_upgrade_is_asked_for() {
    let project = Project::new()
        .wheel(Wheel::module("colours", "1.0"))
        .wheel(Wheel::module("shades", "1.0"))
        .wants("colours\nshades\n");
    project.lock().unwrap();
    let project = project.wheel(Wheel::module("colours", "1.1"));
    assert_eq!(project.lock().unwrap().changes, []);
    let project = project.wants("colours\n");
    let changes: Vec<_> = project.lock().unwrap().changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["shades 1.0 (gone)"]);
    let changes: Vec<_> = project.lock_with(true).unwrap().changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["colours 1.0 → 1.1"]);
}

#[test]
fn leaves_a_lock_alone_that_is_as_it_would_be() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n");
    let path = project.lock().unwrap().path;
    let before = mdo_package::Stamp::of(&fs::metadata(&path).unwrap());
    project.lock().unwrap();
    assert_eq!(mdo_package::Stamp::of(&fs::metadata(&path).unwrap()), before);
}

/// The whole text of what is said of a lock, and its help.
fn refusal(project: &Project, runtime: PythonRuntime) -> (String, String) {
    let error = project.lock_text(runtime).unwrap_err();
    (project.shown(&error), error.help().unwrap())
}

#[test]
fn tells_a_missing_lock_and_a_stale_one() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n");
    let runtime = project.recipe.runtime;
    let help = "mdo derivative lock sklearn".to_owned();
    assert_eq!(
        refusal(&project, runtime),
        ("derivative sklearn: ~/derivatives/sklearn has no requirements.txt".to_owned(), help.clone())
    );
    let project = project.locked().wants("colours==1.0\n");
    assert_eq!(
        refusal(&project, runtime),
        (
            "derivative sklearn: ~/derivatives/sklearn/requirements.txt was made from another requirements.in"
                .to_owned(),
            help.clone()
        )
    );
    fs::write(project.folder().join("requirements.txt"), "colours==1.0\n").unwrap();
    assert_eq!(
        refusal(&project, runtime),
        (
            "derivative sklearn: ~/derivatives/sklearn/requirements.txt does not say which requirements.in it was made \
             from"
                .to_owned(),
            help
        )
    );
}

/// Puts another text in the place of the lock.
fn edit(project: &Project, edit: impl FnOnce(String) -> String) {
    let path = project.folder().join("requirements.txt");
    fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
}

#[test]
fn tells_a_lock_that_was_edited_and_mends_its_hashes_without_an_upgrade() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n").locked();
    let runtime = project.recipe.runtime;
    let project = project.wheel(Wheel::module("colours", "1.1"));
    edit(&project, |lock| lock.replace("sha256:", "sha256:0000").replace("# via", "# because of"));
    assert_eq!(
        refusal(&project, runtime),
        (
            "derivative sklearn: ~/derivatives/sklearn/requirements.txt was edited by hand".to_owned(),
            "mdo derivative lock sklearn".to_owned()
        )
    );
    let locked = project.lock().unwrap();
    assert_eq!(locked.changes, []);
    assert_eq!(
        locked.distrusted,
        Some("was edited by hand: its versions stay where they fit, its hashes are new")
    );
    let text = project.lock_text(runtime).unwrap();
    assert_eq!(text, project.recipe.lock);
    assert_eq!(project.lock().unwrap().distrusted, None);

    edit(&project, |lock| lock.replace("colours==1.0", "colours==1.1"));
    project.lock().unwrap();
    let mut project = project;
    project.recipe.lock = project.lock_text(runtime).unwrap();
    assert!(project.recipe.lock.contains("colours==1.1"), "{}", project.recipe.lock);
    assert_eq!(project.build().unwrap().distributions[0].version, "1.1");
}

#[test]
fn does_not_mind_comments_and_line_ends_in_a_lock() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n").locked();
    edit(&project, |lock| format!("# looked at by us\n\n{lock}").replace('\n', "\r\n"));
    project.lock_text(project.recipe.runtime).unwrap();
}

#[test]
fn locks_afresh_what_cannot_be_read() {
    let anew = Some("cannot be read as a lock: every version is chosen anew");
    let unreadable: [&[u8]; 4] =
        [b"garbage {{\n", b"\xff\xfe\0", b"=======\n>>>>>>> theirs\n", b"colours==1.0 ; on tuesdays\n"];
    for bytes in unreadable {
        let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n");
        fs::write(project.folder().join("requirements.txt"), bytes).unwrap();
        let (_, help) = refusal(&project, project.recipe.runtime);
        assert_eq!(help, "mdo derivative lock sklearn");
        assert_eq!(project.lock().unwrap().distrusted, anew, "{bytes:?}");
        project.lock_text(project.recipe.runtime).unwrap();
    }
}

#[test]
fn keeps_the_versions_of_a_lock_in_conflict() {
    let project = Project::new()
        .wheel(Wheel::module("colours", "1.0"))
        .wheel(Wheel::module("shades", "1.0"))
        .wants("colours\nshades\n")
        .locked();
    let project = project.wheel(Wheel::module("colours", "1.1")).wheel(Wheel::module("shades", "1.1"));
    edit(&project, |lock| lock.replace("shades==", "<<<<<<< ours\nshades==") + ">>>>>>> theirs\n");
    assert_eq!(project.lock().unwrap().changes, []);
}

#[test]
fn tells_a_lock_for_a_newer_python() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n").locked();
    let older = PythonRuntime::ALL[0];
    let (error, _) = refusal(&project, older);
    assert_eq!(
        error,
        format!(
            "derivative sklearn: ~/derivatives/sklearn/requirements.txt was made for Python {} and later, and the runtime \
             is {older}",
            project.recipe.runtime.version()
        )
    );
}

#[test]
fn does_not_mind_comments_line_ends_or_where_the_project_lies() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n").locked();
    let project = project.wants("# what we need\r\n\r\ncolours  # for the plots\r\n");
    let runtime = project.recipe.runtime;
    assert_eq!(project.lock_text(runtime).unwrap(), project.recipe.lock);
}

#[test]
fn sees_a_change_in_a_file_that_is_included() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("-r more.in\n");
    fs::write(project.folder().join("more.in"), "colours\n").unwrap();
    let project = project.locked();
    fs::write(project.folder().join("more.in"), "colours>=1\n").unwrap();
    let (error, _) = refusal(&project, project.recipe.runtime);
    assert!(error.ends_with("was made from another requirements.in"), "{error}");
}

#[test]
fn takes_a_lock_from_elsewhere_where_nothing_is_wanted_here() {
    let project = Project::new();
    let text = "colours==1.0 --hash=sha256:00\n";
    fs::write(project.folder().join("requirements.txt"), text).unwrap();
    assert_eq!(project.lock_text(project.recipe.runtime).unwrap(), text);
}

#[test]
fn names_a_package_that_does_not_exist() {
    let project = Project::new().wants("colors\n");
    let error = project.lock().unwrap_err();
    assert_eq!(
        project.shown(&error),
        "derivative sklearn: uv cannot lock its requirements\n\
         \x20 error: No solution found when resolving dependencies\n\
         \x20   cause: Because colors was not found in the provided package locations and you require colors, we can \
         conclude that your requirements are unsatisfiable."
    );
    assert_eq!(
        error.help().unwrap(),
        "correct `colors` in derivatives/sklearn/requirements.in, or name its index in UV_INDEX_URL"
    );
    assert_eq!(super::project::names(&project.folder()), ["requirements.in"]);
}

#[test]
fn says_that_there_is_nothing_to_lock() {
    let project = Project::new();
    let error = project.lock().unwrap_err();
    assert_eq!(
        project.shown(&error),
        "derivative sklearn: cannot read ~/derivatives/sklearn/requirements.in: No such file or directory (os error 2)"
    );
}

#[test]
fn reads_names_and_versions_out_of_any_lock() {
    let mut project = Project::new();
    project.recipe.lock = "--index-url https://example.com/simple\n\
        # a comment\n\
        numpy==2.2.0 ; python_full_version < '3.14' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via x\n\
        numpy==2.5.5 ; python_full_version >= '3.14' --hash=sha256:cc\n\
        uvicorn[standard]==0.30.1 --hash=sha256:dd\n\
        six===1.17.0\n\
        mine @ https://example.com/mine-1.0.zip#sha256=ee ; sys_platform == 'linux'\n"
        .into();
    let packages: Vec<_> = project
        .recipe
        .packages()
        .into_iter()
        .map(|one| (one.name, one.version, one.marker.unwrap_or_default()))
        .collect();
    let expected = [
        ("numpy", "2.2.0", "python_full_version < '3.14'"),
        ("numpy", "2.5.5", "python_full_version >= '3.14'"),
        ("uvicorn", "0.30.1", ""),
        ("six", "1.17.0", ""),
        ("mine", "https://example.com/mine-1.0.zip#sha256=ee", "sys_platform == 'linux'"),
    ];
    assert_eq!(packages, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
}

#[test]
fn finds_uv_where_it_is_usually_put() {
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let look = |named: Option<&str>| {
        find_uv_with(&|variable| match variable {
            "MDO_UV" => named.map(|named| home.path().join(named).into()),
            "PATH" => Some(home.path().join("path").into()),
            "HOME" => Some(home.path().into()),
            _ => None,
        })
    };
    let error = look(None).unwrap_err();
    assert!(matches!(error, DerivativeError::NoUv));
    assert_eq!(
        error.to_string(),
        "mdo builds derivatives with uv, and this machine has none on PATH, in ~/.local/bin or in ~/.cargo/bin"
    );
    assert_eq!(error.help().unwrap(), "pip install uv");
    for place in [".cargo/bin/uv", ".local/bin/uv", "path/uv"] {
        let put = put(place);
        assert_eq!(look(None).unwrap(), put);
    }
    let error = look(Some("nowhere")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("MDO_UV names {}, which is not a program", home.path().join("nowhere").display())
    );
    assert_eq!(error.help().unwrap(), "unset MDO_UV, or let it name the uv program");
    let mine = put("mine");
    assert_eq!(look(Some("mine")).unwrap(), mine);
}

/// uv itself tries for seven seconds, so a script stands in for it with what uv 0.13.9 says then.
#[test]
fn says_that_the_index_cannot_be_reached() {
    let project = Project::new().wants("colours\n");
    let uv = project.program(
        "uv",
        "echo 'Using CPython 3.13.0 interpreter at: /usr/bin/python3'\n\
         echo 'error: Request failed after 3 retries in 7.7s' >&2\n\
         echo '  cause: Failed to fetch: http://127.0.0.1:9/simple/colours/' >&2\n\
         echo '  cause: tcp connect error' >&2\nexit 2\n",
    );
    let tools = Tools { uv: &uv, ..project.tools() };
    let options = LockOptions { runtime: project.recipe.runtime, upgrade: false };
    let error = derivative::lock("sklearn", &project.folder(), &options, &tools, &mut |_| {}).unwrap_err();
    assert_eq!(
        project.shown(&error),
        "derivative sklearn: uv cannot lock its requirements\n\
         \x20 error: Request failed after 3 retries in 7.7s\n\
         \x20   cause: Failed to fetch: http://127.0.0.1:9/simple/colours/\n\
         \x20   cause: tcp connect error"
    );
    assert_eq!(
        error.help().unwrap(),
        "check the network, or name an index that can be reached in UV_INDEX_URL"
    );
}

/// What uv 0.13.9 says behind a proxy with a certificate of its own.
#[test]
fn says_how_uv_trusts_the_certificates_of_this_machine() {
    let project = Project::new().wants("colours\n");
    let uv = project.program(
        "uv",
        "echo 'error: Request failed after 3 retries in 7.7s' >&2\n\
         echo '  cause: Failed to fetch: `https://pypi.org/simple/colours/`' >&2\n\
         echo '  cause: client error (Connect)' >&2\n\
         echo '  cause: invalid peer certificate: UnknownIssuer' >&2\nexit 2\n",
    );
    let tools = Tools { uv: &uv, ..project.tools() };
    let options = LockOptions { runtime: project.recipe.runtime, upgrade: false };
    let error = derivative::lock("sklearn", &project.folder(), &options, &tools, &mut |_| {}).unwrap_err();
    assert_eq!(
        error.help().unwrap(),
        "let uv trust the certificates of this machine: export UV_SYSTEM_CERTS=true; or name the file of your authority's in \
         SSL_CERT_FILE"
    );
}

#[test]
fn reads_a_lock_once_for_every_runtime() {
    let project = Project::new().wheel(Wheel::module("colours", "1.0")).wants("colours\n").locked();
    let lock = derivative::Lock::read("sklearn", &project.folder()).unwrap();
    fs::remove_dir_all(project.folder()).unwrap();
    let newer = PythonRuntime::ALL[4];
    assert_eq!(lock.text(project.recipe.runtime).unwrap(), project.recipe.lock);
    assert_eq!(lock.text(newer).unwrap(), project.recipe.lock);
    assert!(lock.text(PythonRuntime::ALL[0]).is_err());
}
