//! What goes wrong, and what is said about it.

use std::fs;
use std::net::TcpListener;

use mdo_registry::{Credentials, Error};

use super::hand_made::{HandMade, Reply, says};
use super::image::{Small, fetch, push, registry};

async fn refused(
    rule: impl Fn(&super::hand_made::Seen) -> Option<Reply> + Send + Sync + 'static,
) -> (Error, HandMade) {
    let served = HandMade::start(rule).await;
    let small = Small::new();
    let error = push(&registry(&served.host, Credentials::anonymous()), &small.outgoing).await.unwrap_err();
    (error, served)
}

#[tokio::test]
async fn a_tag_that_must_not_move() {
    let (error, served) = refused(|seen| {
        let is_manifest = seen.method == "PUT" && seen.path.contains("/manifests/");
        let words = "The image tag 'v1' already exists in the 'shop' repository and cannot be overwritten";
        is_manifest.then(|| says(400, "TAG_INVALID", words)).flatten()
    })
    .await;
    assert!(matches!(&error, Error::TagTaken { tag, .. } if tag == "v1"));
    assert_eq!(
        error.to_string(),
        format!("{} keeps another image as team/shop:v1, and its tags are immutable", served.host)
    );
}

#[tokio::test]
async fn a_repository_that_may_not_be_written() {
    let words = "User: arn:aws:sts::1:x is not authorized\u{1b}[31m\nto perform";
    let (error, served) =
        refused(move |seen| (seen.method == "POST").then(|| says(403, "DENIED", words)).flatten()).await;
    assert_eq!(
        error.to_string(),
        format!(
            "{} does not let us write team/shop: DENIED: User: arn:aws:sts::1:x is not authorized [31m to perform (403)",
            served.host
        ),
        "and it cannot colour the terminal"
    );
    let help = format!(
        "log in with `docker login {}`, and check that the login may use the repository",
        served.host
    );
    assert_eq!(error.help(), Some(help));
}

#[tokio::test]
async fn a_repository_that_is_not_there() {
    let (error, served) = refused(|seen| {
        (seen.method == "POST").then(|| says(404, "NAME_UNKNOWN", "The repository does not exist")).flatten()
    })
    .await;
    assert_eq!(
        error.to_string(),
        format!(
            "{} has no repository team/shop: NAME_UNKNOWN: The repository does not exist (404)",
            served.host
        )
    );
}

#[tokio::test]
async fn a_registry_that_stays_busy_is_given_up() {
    let (error, served) =
        refused(|seen| (seen.method == "POST").then(|| says(429, "TOOMANYREQUESTS", "slow down")).flatten())
            .await;
    assert_eq!(
        error.to_string(),
        format!("{} is busy or broken: TOOMANYREQUESTS: slow down (429)", served.host)
    );
    let most = served.seen().iter().filter(|line| line.starts_with("POST")).count();
    assert!((3..=9).contains(&most), "three tries for each blob that was on its way, not {most}");
}

#[tokio::test]
async fn a_registry_that_confirms_something_else() {
    let other = format!("sha256:{}", "0".repeat(64));
    let confirmed = other.clone();
    let (error, served) = refused(move |seen| {
        let is_manifest = seen.method == "PUT" && seen.path.contains("/manifests/");
        is_manifest
            .then(|| Reply::Answer(201, vec![("docker-content-digest", confirmed.clone())], String::new()))
    })
    .await;
    let expected = Small::new().outgoing.digest;
    assert_eq!(
        error.to_string(),
        format!("{}: image team/shop:v1 has the digest {other}, not sha256:{expected}", served.host)
    );
}

#[tokio::test]
async fn a_layer_that_was_changed_since() {
    let served = HandMade::sound().await;
    let small = Small::new();
    let path = small.home.path().join("small");
    fs::write(&path, "SMALL").unwrap();
    let registry = registry(&served.host, Credentials::anonymous());
    let error = push(&registry, &small.outgoing).await.unwrap_err();
    let digest = small.outgoing.blobs[2].digest;
    assert_eq!(
        error.to_string(),
        format!("{}: small has the digest of another content, not sha256:{digest}", served.host)
    );
    fs::write(&path, "smaller").unwrap();
    let error = push(&registry, &small.outgoing).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{}: has 7 bytes, and its layer has 5", path.display()));
    fs::remove_file(&path).unwrap();
    let error = push(&registry, &small.outgoing).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{}: No such file or directory (os error 2)", path.display()));
}

#[tokio::test]
async fn nobody_there() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = taken.local_addr().unwrap().to_string();
    drop(taken);
    let error = push(&registry(&host, Credentials::anonymous()), &Small::new().outgoing).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot reach {host}: Connection refused (os error 111)"));
    assert_eq!(
        error.help().as_deref(),
        Some("check the name, the network and HTTPS_PROXY, and run it again")
    );
}

#[tokio::test]
async fn a_server_that_is_no_registry() {
    let (error, served) = refused(|seen| {
        (seen.method == "POST").then(|| Reply::Answer(200, Vec::new(), "<html>welcome</html>".to_owned()))
    })
    .await;
    assert_eq!(
        error.to_string(),
        format!("{} does not answer as a registry: an answer has no Location", served.host)
    );
    // What it says must not lead to an address where everybody can listen, however it is spelt.
    let (error, served) = refused(|seen| {
        let location = "http://registry.example/upload".to_owned();
        (seen.method == "POST").then(|| Reply::Answer(202, vec![("location", location)], String::new()))
    })
    .await;
    assert_eq!(
        error.to_string(),
        format!(
            "{} does not answer as a registry: an answer leads to an address without encryption",
            served.host
        )
    );
    let (error, served) = refused(|_| {
        let challenge = r#"Bearer realm="http://registry.example/token""#.to_owned();
        Some(Reply::Answer(401, vec![("www-authenticate", challenge)], String::new()))
    })
    .await;
    assert_eq!(
        error.to_string(),
        format!("{} does not answer as a registry: it names no valid address for tokens", served.host)
    );
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let served = HandMade::start(|seen| {
        Some(Reply::Answer(307, vec![("location", format!("{}x", seen.path))], String::new()))
    })
    .await;
    let into = tempfile::tempdir().unwrap();
    let registry = registry(&served.host, Credentials::anonymous());
    let error = fetch(&registry, Small::new().outgoing.digest, &into).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} does not answer as a registry: its redirects lead nowhere", served.host)
    );
    assert_eq!(served.seen().len(), 6);
}
