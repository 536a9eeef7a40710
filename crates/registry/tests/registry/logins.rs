//! The logins in Docker's configuration, and the helpers that know others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use mdo_registry::{Credentials, DockerConfig, Repository};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Docker {
    home: TempDir,
}

impl Docker {
    fn with(config: &Value) -> Self {
        let docker = Self { home: tempfile::tempdir().unwrap() };
        fs::write(docker.path(), config.to_string()).unwrap();
        docker
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("config.json")
    }

    fn login(&self, repository: &str) -> Credentials {
        let config = DockerConfig::read(&self.path()).unwrap();
        config.credentials(&repository.parse().unwrap()).unwrap()
    }
}

#[test]
fn an_entry_is_found_under_each_of_the_names_of_its_registry() {
    // alice:open-sesame
    let login = json!({ "auth": "YWxpY2U6b3Blbi1zZXNhbWU=" });
    for (key, repository) in [
        ("registry.example", "registry.example/shop"),
        ("https://registry.example", "registry.example/shop"),
        ("https://registry.example/v1/", "registry.example/shop"),
        ("https://index.docker.io/v1/", "alice/shop"),
        ("localhost:5000", "localhost:5000/shop"),
    ] {
        let docker = Docker::with(&json!({ "auths": { key: login, "other.example": { "auth": "eA==" } } }));
        assert_eq!(docker.login(repository), Credentials::basic("alice", "open-sesame"), "{key}");
    }
    let docker = Docker::with(&json!({ "auths": { "registry.example": login } }));
    for other in ["other.example/shop", "registry.example:5000/shop", "alice/shop"] {
        assert!(docker.login(other).is_anonymous(), "{other}");
    }
}

#[test]
fn a_configuration_that_is_not_there_holds_no_logins() {
    let config = DockerConfig::read(&tempfile::tempdir().unwrap().path().join("config.json")).unwrap();
    let repository: Repository = "alice/shop".parse().unwrap();
    assert!(config.credentials(&repository).unwrap().is_anonymous());
    // As `docker login` with a helper leaves it.
    assert!(
        Docker::with(&json!({ "auths": { "registry.example": {} } }))
            .login("registry.example/shop")
            .is_anonymous()
    );
}

#[test]
fn what_cannot_be_read_is_said_without_the_secret() {
    let docker = Docker::with(&json!({}));
    fs::write(docker.path(), "{\n  \"auths\": { \"registry.example\": { \"auth\": open-sesame } }\n}")
        .unwrap();
    let error = DockerConfig::read(&docker.path()).unwrap_err();
    let place = docker.path().display().to_string();
    assert_eq!(error.to_string(), format!("{place} is not Docker's configuration: line 2, column 44"));

    let docker = Docker::with(&json!({ "auths": { "registry.example": { "auth": "open-sesame" } } }));
    let config = DockerConfig::read(&docker.path()).unwrap();
    let error = config.credentials(&"registry.example/shop".parse().unwrap()).unwrap_err();
    let place = docker.path().display().to_string();
    assert_eq!(
        error.to_string(),
        format!("{place}: the login for registry.example is not base64 of USER:PASSWORD")
    );
    let secret = Credentials::basic("alice", "open-sesame");
    let printed = format!("{config:?} {secret:?}");
    assert!(printed.contains("registry.example") && !printed.contains("open-sesame"), "{printed}");
}

/// What a helper that is on the `PATH` answers; the test runs itself, as the `PATH` of its process is not to be changed.
#[test]
fn helpers_are_asked_as_docker_asks_them() {
    let folder = tempfile::tempdir().unwrap();
    let helper = |name: &str, script: &str| {
        let path = folder.path().join(format!("docker-credential-{name}"));
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    helper(
        "known",
        r#"[ "$1" = get ] && [ "$(cat)" = registry.example ] && echo '{"ServerURL":"x","Username":"alice","Secret":"open-sesame"}' || { echo 'credentials not found in native keychain'; exit 1; }"#,
    );
    helper(
        "token",
        r#"cat >/dev/null; echo '{"ServerURL":"x","Username":"<token>","Secret":"open-sesame"}'"#,
    );
    helper("broken", "cat >/dev/null; echo 'the keychain is locked' >&2; exit 1");
    helper("odd", "cat >/dev/null; echo open-sesame");
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logins::with_the_helpers_on_the_path", "--ignored", "--nocapture"])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"));
}

#[test]
#[ignore = "run by the test above, with its PATH"]
fn with_the_helpers_on_the_path() {
    let helped = |name: &str| Docker::with(&json!({ "credHelpers": { "registry.example": name } }));
    assert_eq!(helped("known").login("registry.example/shop"), Credentials::basic("alice", "open-sesame"));
    let store = Docker::with(&json!({ "credsStore": "known" }));
    assert_eq!(store.login("registry.example/shop"), Credentials::basic("alice", "open-sesame"));
    assert!(store.login("other.example/shop").is_anonymous());
    for (name, why) in [
        (
            "token",
            "it has an identity token only, which mdo does not exchange; log in with a password or an access token",
        ),
        ("broken", "the keychain is locked"),
        ("odd", "its answer is not that of a helper"),
        ("missing", "it cannot be started: No such file or directory (os error 2)"),
        ("../known", "its name is not that of a program"),
    ] {
        let config = DockerConfig::read(&helped(name).path()).unwrap();
        assert!(config.credentials(&"other.example/shop".parse().unwrap()).unwrap().is_anonymous());
        let error = config.credentials(&"registry.example/shop".parse().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("docker-credential-{name} does not tell the login for registry.example: {why}")
        );
    }
}
