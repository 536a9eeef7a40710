//! Fetching: the image of the platform as an OCI layout, every digest checked, and nothing twice.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use mdo_model::Sha256;
use mdo_registry::{Credentials, Platform};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::hand_made::{HandMade, Reply};
use super::image::{LARGE, Notes, Small, fetch, push, registry};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn with_image(served: &HandMade) -> Small {
    let small = Small::new();
    let mut kept = served.kept.lock().unwrap();
    for blob in &small.outgoing.blobs {
        let bytes = match &blob.content {
            mdo_model::hosted::Content::Bytes(bytes) => bytes.clone(),
            mdo_model::hosted::Content::File(path) => fs::read(path).unwrap(),
        };
        kept.blobs.insert(format!("sha256:{}", blob.digest), bytes.into());
    }
    let manifest = small.outgoing.manifest.clone();
    kept.manifests.insert(format!("sha256:{}", small.outgoing.digest), manifest.into());
    drop(kept);
    small
}

#[tokio::test]
async fn an_image_becomes_an_oci_layout() {
    let served = HandMade::sound().await;
    let small = with_image(&served).await;
    let into = tempfile::tempdir().unwrap();
    let registry = registry(&served.host, Credentials::anonymous());
    let fetched = fetch(&registry, small.outgoing.digest, &into).await.unwrap();
    assert_eq!((fetched.digest, &fetched.layout), (small.outgoing.digest, &into.path().join("image")));
    assert_eq!(fetched.bytes, small.outgoing.blobs.iter().map(|blob| blob.size).sum::<u64>());
    assert_eq!(names(&fetched.layout), ["blobs", "index.json", "oci-layout"]);
    let mut expected: Vec<_> = small.digests().iter().map(|digest| digest.replace("sha256:", "")).collect();
    expected.push(small.outgoing.digest.to_string());
    expected.sort();
    let blobs = fetched.layout.join("blobs/sha256");
    assert_eq!(names(&blobs), expected);
    for name in expected {
        assert_eq!(Sha256::of(&fs::read(blobs.join(&name)).unwrap()).to_string(), name);
    }
    let index: Value = serde_json::from_slice(&fs::read(fetched.layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(
        index["manifests"],
        json!([{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha256:{}", small.outgoing.digest),
            "size": small.outgoing.manifest.len(),
            "platform": { "architecture": "amd64", "os": "linux" },
        }])
    );
}

#[tokio::test]
async fn what_is_there_and_sound_is_not_fetched_again() {
    let served = HandMade::sound().await;
    let small = with_image(&served).await;
    let into = tempfile::tempdir().unwrap();
    let registry = registry(&served.host, Credentials::anonymous());
    let first = fetch(&registry, small.outgoing.digest, &into).await.unwrap();
    let before = served.seen().len();
    assert_eq!(fetch(&registry, small.outgoing.digest, &into).await.unwrap().bytes, 0);
    assert_eq!(served.seen().len(), before, "the manifest is there as well");
    // One that is damaged in its own size counts for nothing.
    let large = first.layout.join(format!("blobs/sha256/{}", small.outgoing.blobs[1].digest));
    fs::write(&large, vec![0; LARGE]).unwrap();
    assert_eq!(fetch(&registry, small.outgoing.digest, &into).await.unwrap().bytes, LARGE as u64);
    assert_eq!(Sha256::of(&fs::read(large).unwrap()), small.outgoing.blobs[1].digest);
}

#[tokio::test]
async fn of_a_list_the_one_for_the_platform() {
    let served = HandMade::sound().await;
    let small = with_image(&served).await;
    let entry = |architecture: &str, os: &str, digest: Sha256| {
        json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
            "digest": format!("sha256:{digest}"), "platform": { "architecture": architecture, "os": os } })
    };
    let list = json!({ "schemaVersion": 2, "manifests": [
        entry("arm64", "linux", Sha256::of(b"arm")),
        entry("amd64", "linux", small.outgoing.digest),
        entry("unknown", "unknown", Sha256::of(b"about")),
    ]});
    let list = list.to_string();
    let digest = Sha256::of(list.as_bytes());
    served.kept.lock().unwrap().manifests.insert(format!("sha256:{digest}"), list.into());
    let into = tempfile::tempdir().unwrap();
    let registry = registry(&served.host, Credentials::anonymous());
    assert_eq!(fetch(&registry, digest, &into).await.unwrap().digest, small.outgoing.digest);

    let s390x = Platform { os: "linux".to_owned(), architecture: "s390x".to_owned() };
    let (observe, never) = (Notes::default().observe(), CancellationToken::new());
    let error = registry.fetch(digest, &s390x, into.path(), &observe, &never).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}/team/shop@sha256:{digest} is not there for linux/s390x, only for linux/arm64, linux/amd64",
            served.host
        )
    );
}

#[tokio::test]
async fn blobs_at_another_host_are_fetched_without_the_login() {
    let elsewhere = HandMade::sound().await;
    let small = with_image(&elsewhere).await;
    let away = elsewhere.host.clone();
    let served = HandMade::start(move |seen| {
        if seen.authorization.as_deref() != Some("Basic YWxpY2U6aGVyZS1iZS1hLXNlY3JldA==") {
            return Some(Reply::Answer(
                401,
                vec![("www-authenticate", "Basic realm=\"x\"".to_owned())],
                String::new(),
            ));
        }
        let location = format!("http://{away}{}", seen.path);
        seen.path.contains("/blobs/").then(|| Reply::Answer(307, vec![("location", location)], String::new()))
    })
    .await;
    let manifest = small.outgoing.manifest.clone();
    served
        .kept
        .lock()
        .unwrap()
        .manifests
        .insert(format!("sha256:{}", small.outgoing.digest), manifest.into());
    let into = tempfile::tempdir().unwrap();
    let registry = registry(&served.host, Credentials::basic("alice", "here-be-a-secret"));
    fetch(&registry, small.outgoing.digest, &into).await.unwrap();
    let requests = elsewhere.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|seen| seen.authorization.is_none()), "{requests:#?}");
    let shown = served.requests().into_iter().filter(|seen| seen.authorization.is_some()).count();
    assert_eq!(shown, 4, "the registry itself has seen it with the manifest and the three blobs");
}

#[tokio::test]
async fn a_connection_that_is_lost_begins_again_and_leaves_nothing_unfinished() {
    let left = AtomicUsize::new(2);
    let served = HandMade::start(move |seen| {
        let lose = seen.path.contains("/blobs/")
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        lose.then_some(Reply::Lost(0))
    })
    .await;
    let small = with_image(&served).await;
    let into = tempfile::tempdir().unwrap();
    let fetched =
        fetch(&registry(&served.host, Credentials::anonymous()), small.outgoing.digest, &into).await.unwrap();
    assert_eq!(names(&fetched.layout.join("blobs/sha256")).len(), 4);
}

#[tokio::test]
async fn what_is_not_what_its_digest_says_is_refused() {
    let served = HandMade::sound().await;
    let small = with_image(&served).await;
    let (into, digest) = (tempfile::tempdir().unwrap(), small.outgoing.blobs[1].digest);
    let name = format!("sha256:{digest}");
    let forged = vec![0; LARGE];
    let found = Sha256::of(&forged);
    served.kept.lock().unwrap().blobs.insert(name.clone(), forged.into());
    let registry = registry(&served.host, Credentials::anonymous());
    let error = fetch(&registry, small.outgoing.digest, &into).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}: blob {name} has the digest sha256:{found}, not {name}", served.host)
    );
    served.kept.lock().unwrap().blobs.insert(name.clone(), vec![0; LARGE + 1].into());
    let error = fetch(&registry, small.outgoing.digest, &into).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} does not answer as a registry: blob {name} is longer than its {LARGE} bytes",
            served.host
        )
    );
    let blobs = into.path().join("image/blobs/sha256");
    assert!(names(&blobs).iter().all(|name| !name.starts_with(".part-") && *name != digest.to_string()));
    assert!(!into.path().join("image/index.json").exists(), "an index stands for a whole image");

    let manifest = format!("sha256:{}", small.outgoing.digest);
    served.kept.lock().unwrap().manifests.insert(manifest.clone(), "{}".into());
    let into = tempfile::tempdir().unwrap();
    let error = fetch(&registry, small.outgoing.digest, &into).await.unwrap_err();
    let found = Sha256::of(b"{}");
    assert_eq!(
        error.to_string(),
        format!("{}: image team/shop@{manifest} has the digest sha256:{found}, not {manifest}", served.host)
    );
}

#[tokio::test]
async fn an_image_that_is_not_there_and_a_folder_that_cannot_be_written() {
    let served = HandMade::sound().await;
    let small = Small::new();
    let registry = registry(&served.host, Credentials::anonymous());
    let into = tempfile::tempdir().unwrap();
    let digest = small.outgoing.digest;
    let error = fetch(&registry, digest, &into).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} has no image team/shop@sha256:{digest}: UNKNOWN: unknown (404)", served.host)
    );
    push(&registry, &small.outgoing).await.unwrap();
    let into = tempfile::tempdir().unwrap();
    fs::write(into.path().join("image"), "a file in its place").unwrap();
    let error = fetch(&registry, digest, &into).await.unwrap_err();
    let folder = into.path().join("image/blobs/sha256");
    assert!(error.to_string().starts_with(&format!("{}: ", folder.display())), "{error}");
}
