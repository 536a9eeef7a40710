//! Pushing: what goes, in which order, what does not go, and to whom a login is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mdo_registry::{Credentials, Event, Pushed};
use tokio_util::sync::CancellationToken;

use super::hand_made::{HandMade, Reply};
use super::image::{LARGE, Notes, Small, push, registry};

const LOGIN: &str = "Basic QVdTOmhlcmUtYmUtYS1zZWNyZXQ=";

fn login() -> Credentials {
    Credentials::basic("AWS", "here-be-a-secret")
}

#[tokio::test]
async fn each_blob_goes_in_one_piece_and_the_manifest_goes_last() {
    let served = HandMade::sound().await;
    let small = Small::new();
    let registry = registry(&served.host, Credentials::anonymous());
    let pushed = push(&registry, &small.outgoing).await.unwrap();
    let bytes = small.outgoing.blobs.iter().map(|blob| blob.size).sum();
    assert_eq!(pushed, Pushed { digest: small.outgoing.digest, sent: 3, there: 0, bytes });
    let kept: Vec<_> = served.kept.lock().unwrap().blobs.keys().cloned().collect();
    assert_eq!(kept, small.digests());
    let seen = served.seen();
    assert_eq!(seen.first().unwrap(), "HEAD /v2/team/shop/manifests/v1");
    assert_eq!(seen.last().unwrap(), "PUT /v2/team/shop/manifests/v1");
    let count = |method: &str| seen.iter().filter(|line| line.starts_with(method)).count();
    assert_eq!((count("HEAD"), count("POST"), count("PUT"), count("PATCH")), (4, 3, 4, 0), "{seen:#?}");
    let large = served.requests().into_iter().filter(|seen| seen.length == Some(LARGE.to_string())).count();
    assert_eq!(large, 1, "the size is told, and nothing is chunked");
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    let served = HandMade::sound().await;
    let small = Small::new();
    let registry = registry(&served.host, Credentials::anonymous());
    push(&registry, &small.outgoing).await.unwrap();
    let before = served.seen().len();
    let again = push(&registry, &small.outgoing).await.unwrap();
    assert_eq!(again, Pushed { digest: small.outgoing.digest, sent: 0, there: 3, bytes: 0 });
    assert_eq!(served.seen()[before..], ["HEAD /v2/team/shop/manifests/v1"], "one question is enough");

    served.kept.lock().unwrap().manifests.clear();
    let gone = format!("sha256:{}", small.outgoing.blobs[1].digest);
    served.kept.lock().unwrap().blobs.remove(&gone);
    let notes = Notes::default();
    let pushed =
        registry.push(&small.outgoing, "v1", &notes.observe(), &CancellationToken::new()).await.unwrap();
    assert_eq!((pushed.sent, pushed.there, pushed.bytes), (1, 2, LARGE as u64));
    let there = notes.all().into_iter().filter(|event| matches!(event, Event::There { .. })).count();
    assert_eq!(there, 2);
}

#[tokio::test]
async fn progress_is_told_in_bytes_up_to_the_whole() {
    let served = HandMade::sound().await;
    let small = Small::new();
    let notes = Notes::default();
    let registry = registry(&served.host, Credentials::anonymous());
    registry.push(&small.outgoing, "v1", &notes.observe(), &CancellationToken::new()).await.unwrap();
    let large = small.outgoing.blobs[1].digest;
    let steps: Vec<_> = notes
        .all()
        .into_iter()
        .filter_map(|event| match event {
            Event::Bytes { digest, done, total } if digest == large => Some((done, total)),
            _ => None,
        })
        .collect();
    assert!(steps.len() > 10 && steps.is_sorted(), "{} steps", steps.len());
    assert_eq!(steps.last(), Some(&(LARGE as u64, LARGE as u64)));
}

#[tokio::test]
async fn a_lost_connection_and_a_busy_registry_are_tried_again_with_a_new_upload() {
    let (lost, busy) = (AtomicUsize::new(1), AtomicUsize::new(1));
    let once = |left: &AtomicUsize| {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
    };
    let served = HandMade::start(move |seen| match seen.method.as_str() {
        "PUT" if seen.length == Some(LARGE.to_string()) && once(&lost) => Some(Reply::Lost(100_000)),
        "PUT" if seen.path.contains("/manifests/") && once(&busy) => {
            Some(Reply::Answer(503, vec![("retry-after", "0".to_owned())], String::new()))
        }
        _ => None,
    })
    .await;
    let small = Small::new();
    let notes = Notes::default();
    let registry = registry(&served.host, Credentials::anonymous());
    let pushed =
        registry.push(&small.outgoing, "v1", &notes.observe(), &CancellationToken::new()).await.unwrap();
    assert_eq!(pushed.sent, 3);
    let posts = served.seen().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 4, "an upload that was lost is opened anew");
    let waits = notes.waits();
    assert_eq!(waits.len(), 2, "{waits:#?}");
    assert!(waits[0].starts_with(&format!("cannot reach {}: ", served.host)), "{waits:#?}");
    assert_eq!(waits[1], format!("{} is busy or broken: 503 Service Unavailable", served.host));
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_not_sent_twice() {
    let small = Small::new();
    let served = Arc::new(HandMade::sound().await);
    // The blob arrives, the answer does not: what comes second finds it there.
    let behind = Arc::clone(&served);
    let large = format!("sha256:{}", small.outgoing.blobs[1].digest);
    let bytes = std::fs::read(small.home.path().join("large")).unwrap();
    let front = HandMade::start(move |seen| {
        let is_put = seen.method == "PUT" && seen.length == Some(LARGE.to_string());
        if is_put {
            behind.kept.lock().unwrap().blobs.insert(large.clone(), bytes.clone().into());
            return Some(Reply::Lost(LARGE));
        }
        let there = seen.path.ends_with(&large) && behind.kept.lock().unwrap().blobs.contains_key(&large);
        there.then(|| Reply::Answer(200, Vec::new(), String::new()))
    })
    .await;
    let registry = registry(&front.host, Credentials::anonymous());
    push(&registry, &small.outgoing).await.unwrap();
    let puts = front.requests().into_iter().filter(|seen| seen.length == Some(LARGE.to_string())).count();
    assert_eq!(puts, 1);
}

#[tokio::test]
async fn a_login_is_shown_when_it_is_asked_for() {
    let served = HandMade::start(|seen| {
        let is_let_in = seen.authorization.as_deref() == Some(LOGIN);
        (!is_let_in).then(|| {
            Reply::Answer(401, vec![("www-authenticate", r#"Basic realm="x""#.to_owned())], String::new())
        })
    })
    .await;
    let small = Small::new();
    push(&registry(&served.host, login()), &small.outgoing).await.unwrap();
    let shown: Vec<_> = served.requests().into_iter().map(|seen| seen.authorization).collect();
    assert_eq!(shown[0], None);
    assert!(shown[1..].iter().all(|shown| shown.as_deref() == Some(LOGIN)));

    let error = push(&registry(&served.host, Credentials::anonymous()), &small.outgoing).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} does not let us read team/shop: 401 Unauthorized", served.host)
    );
}

#[tokio::test]
async fn a_login_becomes_a_token_for_each_scope() {
    let tokens = HandMade::start(|seen| {
        let write = seen.path.contains("push");
        (seen.authorization.as_deref() == Some(LOGIN))
            .then(|| {
                Reply::Answer(
                    200,
                    Vec::new(),
                    format!(r#"{{"token":"{}"}}"#, if write { "writer" } else { "reader" }),
                )
            })
            .or_else(|| Some(Reply::Answer(401, Vec::new(), String::new())))
    })
    .await;
    let realm = format!("http://{}/token", tokens.host);
    let served = HandMade::start(move |seen| {
        let is_read = matches!(seen.method.as_str(), "GET" | "HEAD");
        let held = seen.authorization.as_deref();
        let is_let_in = held == Some("Bearer writer") || (is_read && held == Some("Bearer reader"));
        let scope = if is_read { "pull" } else { "pull,push" };
        let challenge =
            format!(r#"Bearer realm="{realm}",service="the registry",scope="repository:team/shop:{scope}""#);
        (!is_let_in).then(|| Reply::Answer(401, vec![("www-authenticate", challenge)], String::new()))
    })
    .await;
    let small = Small::new();
    let pushed = push(&registry(&served.host, login()), &small.outgoing).await.unwrap();
    assert_eq!(pushed.sent, 3);
    assert_eq!(
        tokens.seen().first().unwrap(),
        "GET /token?service=the%20registry&scope=repository%3Ateam%2Fshop%3Apull"
    );
    assert!(served.requests().iter().all(|seen| seen.authorization.as_deref() != Some(LOGIN)));
}

#[tokio::test]
async fn an_upload_at_another_host_is_sent_without_the_login() {
    let elsewhere = HandMade::start(|seen| {
        let digest = seen.path.rsplit_once('=').unwrap().1.to_owned();
        Some(Reply::Answer(201, vec![("docker-content-digest", digest)], String::new()))
    })
    .await;
    let location = format!("http://{}/elsewhere/?state=a", elsewhere.host);
    let served = HandMade::start(move |seen| {
        if seen.authorization.is_none() {
            return Some(Reply::Answer(401, vec![("www-authenticate", "Basic".to_owned())], String::new()));
        }
        (seen.method == "POST")
            .then(|| Reply::Answer(202, vec![("location", location.clone())], String::new()))
    })
    .await;
    let small = Small::new();
    push(&registry(&served.host, login()), &small.outgoing).await.unwrap();
    let requests = elsewhere.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|seen| seen.authorization.is_none()), "{requests:#?}");
}

#[tokio::test]
async fn an_upload_may_begin_at_an_address_that_is_relative() {
    for location in ["an-upload?state=a%3Db", "/v2/team/shop/blobs/uploads/an-upload?state=a%3Db"] {
        let served = HandMade::start(move |seen| {
            let headers = vec![("location", location.to_owned())];
            (seen.method == "POST").then(|| Reply::Answer(202, headers, String::new()))
        })
        .await;
        let small = Small::new();
        push(&registry(&served.host, Credentials::anonymous()), &small.outgoing).await.unwrap();
        let digest = format!("sha256:{}", small.outgoing.blobs[1].digest);
        let put = format!("PUT /v2/team/shop/blobs/uploads/an-upload?state=a%3Db&digest={digest}");
        assert!(served.seen().contains(&put), "{:#?}", served.seen());
    }
}

#[tokio::test]
async fn who_cancels_is_answered_at_once() {
    let cancel = CancellationToken::new();
    let (token, small) = (cancel.clone(), Small::new());
    let served = HandMade::start(move |seen| {
        if seen.method == "POST" {
            token.cancel();
        }
        None
    })
    .await;
    let registry = registry(&served.host, Credentials::anonymous());
    let error = registry.push(&small.outgoing, "v1", &Notes::default().observe(), &cancel).await.unwrap_err();
    assert_eq!(error.to_string(), "interrupted");
    assert!(served.kept.lock().unwrap().manifests.is_empty());
}
