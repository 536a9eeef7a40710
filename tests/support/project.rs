//! A project of mdo in a folder of its own, deployed to an account of its own or to this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::account::Account;
use super::command::Mdo;

/// The manifest of [`TestProject::with_echo`].
pub const MANIFEST: &str = "name = \"shop\"\ndescription = \"Echoes\"\n";

const ECHO: &str = include_str!("echo.py");
/// A script for sh, which every Lambda runtime has; see [`super::command::without_known_warnings`].
const BOOTSTRAP: &str = "#!/bin/sh\nexec python3 -S echo.py\n";

/// A folder with a project, and the account that it deploys to, if it is not for this machine alone.
pub struct TestProject {
    folder: PathBuf,
    home: TempDir,
    account: Option<Account>,
    variables: Mutex<Vec<(&'static str, String)>>,
    said: Mutex<String>,
}

impl TestProject {
    /// An empty folder.
    pub fn empty(account: Account) -> TestProject {
        TestProject { account: Some(account), ..TestProject::local() }
    }

    /// An empty folder named `shop`, for commands that know no account.
    pub fn local() -> TestProject {
        let home = tempfile::tempdir().unwrap();
        // As the process under test sees it, where the temporary folder is behind a link.
        let folder = home.path().canonicalize().unwrap().join("shop");
        fs::create_dir(&folder).unwrap();
        TestProject { folder, home, account: None, variables: Mutex::default(), said: Mutex::default() }
    }

    /// The project `shop` for this machine, with the function `echo` at `GET /echo`, keyed.
    pub fn local_with_echo() -> TestProject {
        let project = TestProject::local();
        project.write("project.toml", MANIFEST);
        project.add_function("echo", json!({"routes": ["GET /echo"]}));
        project
    }

    /// The project `shop` with no function.
    pub fn without_functions(account: Account) -> TestProject {
        let project = TestProject::empty(account);
        project.write("project.toml", MANIFEST);
        project
    }

    /// The project `shop` with the function `echo`: a keyed route `GET /echo`, and a warm rule.
    pub fn with_echo(account: Account) -> TestProject {
        let project = TestProject::without_functions(account);
        project.add_function("echo", json!({"routes": ["GET /echo"], "warm": {"rate": "5m"}}));
        project
    }

    /// Adds a function that answers what it sees, with these settings.
    pub fn add_function(&self, name: &str, settings: Value) {
        let home = format!("functions/{name}");
        self.write(&format!("{home}/function.json"), &format!("{settings:#}\n"));
        self.write(&format!("{home}/echo.py"), ECHO);
        self.write(&format!("{home}/edition.txt"), "first\n");
        self.write_executable(&format!("{home}/bootstrap"), BOOTSTRAP);
    }

    /// Sets one key of a function's `function.json`; null removes it.
    pub fn set(&self, function: &str, key: &str, value: Value) {
        let path = format!("functions/{function}/function.json");
        let mut settings: Value = serde_json::from_str(&self.read(&path)).unwrap();
        match value {
            Value::Null => drop(settings.as_object_mut().unwrap().remove(key)),
            value => settings[key] = value,
        }
        self.write(&path, &format!("{settings:#}\n"));
    }

    /// Changes the code of a function: what it answers as `edition`.
    pub fn set_edition(&self, function: &str, edition: &str) {
        self.write(&format!("functions/{function}/edition.txt"), &format!("{edition}\n"));
    }

    /// Writes a file of the project; one that is there keeps its mode.
    pub fn write(&self, path: &str, text: &str) {
        let mode = fs::metadata(self.path(path)).map_or(0o644, |metadata| metadata.permissions().mode());
        self.replace(path, text, mode);
    }

    /// Writes an executable file of the project.
    pub fn write_executable(&self, path: &str, text: &str) {
        self.replace(path, text, 0o755);
    }

    /// Puts a file in place at once, as most editors do: nobody who follows the files sees half of it.
    fn replace(&self, path: &str, text: &str, mode: u32) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = tempfile::NamedTempFile::new_in(self.home.path()).unwrap();
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        new.persist(path).unwrap();
    }

    /// Reads a file of the project.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Removes a folder of the project.
    pub fn remove(&self, path: &str) {
        fs::remove_dir_all(self.path(path)).unwrap();
    }

    /// A path in the project.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    /// The project's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A folder for what programs keep for their user.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The account that it deploys to.
    pub fn account(&self) -> &Account {
        self.account.as_ref().expect("a project with an account")
    }

    /// The environment that a command runs with, besides `PATH`.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = match &self.account {
            Some(account) => account.environment(),
            None => vec![("HOME", self.home.path().display().to_string())],
        };
        environment.extend(self.variables.lock().unwrap().iter().cloned());
        environment
    }

    /// Sets an environment variable of every command from now on.
    pub fn set_variable(&self, name: &'static str, value: impl Into<String>) {
        self.variables.lock().unwrap().push((name, value.into()));
    }

    /// Runs git in the project's folder, which must succeed, and answers what it prints.
    #[track_caller]
    pub fn git(&self, arguments: &str) -> String {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let mut git = std::process::Command::new("git");
        git.args(identity).args(arguments.split_whitespace()).current_dir(self.folder());
        let output = git.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The command `mdo` with these words as its arguments, in the project's folder.
    pub fn mdo(&self, arguments: &str) -> Mdo<'_> {
        Mdo::new(self, arguments.split_whitespace())
    }

    /// The command `mdo` with arguments that hold blanks.
    pub fn mdo_with(&self, arguments: &[&str]) -> Mdo<'_> {
        Mdo::new(self, arguments.iter().copied())
    }

    /// The value of a key of the default stage on this machine.
    pub fn key(&self, name: &str) -> String {
        self.mdo(&format!("key show {name} --local")).succeeds().stdout.trim_end().to_owned()
    }

    /// Everything that mdo wrote so far to its outputs, or to a file below `.mdo` that is not a package.
    pub fn said(&self) -> MutexGuard<'_, String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deploys, and proves that a plan finds nothing to do afterwards.
    #[track_caller]
    pub fn deploys(&self, flags: &str) {
        self.mdo(&format!("deploy --yes {flags}")).succeeds();
        self.is_settled(&flags.replace("--delete-keys", ""));
    }

    /// Proves that a plan finds nothing to do.
    #[track_caller]
    pub fn is_settled(&self, flags: &str) {
        let plan = self.mdo(&format!("plan --json {flags}")).json();
        assert_eq!(plan["changes"], json!([]), "{plan:#}");
    }
}
