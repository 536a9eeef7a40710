//! A server from its start to its end, while what it serves changes.

use std::sync::Arc;

use mdo_engine::{Pings, Provider};
use mdo_local::Server;

use crate::connection::{Client, send};
use crate::running::{Running, fifo, keyed, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_fails_no_request() {
    let running = Running::start(open().environment("sample", "MARK", "0")).await;
    let address = running.server.address();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut last = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = client.send("GET", "/dev/open?do=mark", &[], b"").await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let mark: u32 = answer.text().parse().unwrap();
                    assert!(mark >= last, "{mark} after {last}");
                    last = mark;
                }
            })
        })
        .collect();
    let Running { mut fixture, server, lines, .. } = running;
    for mark in 1..=4 {
        fixture = fixture.environment("sample", "MARK", &mark.to_string());
        fixture.deploy().await;
        server.reload().await.unwrap();
        let answer = send(address, "GET", "/dev/open?do=mark", &[], b"").await;
        assert_eq!(answer.text(), mark.to_string());
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(lines.lock().unwrap().iter().any(|line| line == "reloaded sample version 5"));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_does_not_stop_the_server() {
    let running = Running::start(open()).await;
    let file = running.fixture.root.path().join(".mdo/stages/dev/state.json");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, "oops").unwrap();
    assert_eq!(running.get("/dev/open").await.status, 200);
    assert!(running.said("kept the last good state: "));
    std::fs::write(&file, good).unwrap();
    assert_eq!(running.get("/dev/open").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_finishes_what_is_in_flight() {
    let running = Running::start(open()).await;
    let (arrived, go) = (fifo(&running, "arrived"), fifo(&running, "go"));
    let address = running.server.address();
    let request =
        tokio::spawn(async move { send(address, "GET", "/dev/open?do=gate", &[], b"").await.status });
    let met = tokio::task::spawn_blocking(move || std::fs::read_to_string(arrived).unwrap()).await.unwrap();
    assert_eq!(met, "x");
    let shutdown = tokio::spawn(running.server.shutdown());
    tokio::task::spawn_blocking(move || std::fs::write(go, "x").unwrap()).await.unwrap();
    assert_eq!(request.await.unwrap(), 200);
    shutdown.await.unwrap();
    // A sandbox of another test may hold the listener for the moment between its fork and its exec.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let running = Running::start(open()).await;
    let port = running.server.address().port();
    let error = Server::start(&running.fixture.provider(), Some(port), Arc::new(|_| {})).await.err().unwrap();
    assert_eq!(error.message, format!("port {port} on 127.0.0.1 is taken by another process"));
    assert_eq!(error.help.as_deref(), Some("choose another one with --port, or any free one with --port 0"));
    let endpoint = running.fixture.provider().endpoint();
    assert_eq!(endpoint, Some(format!("http://127.0.0.1:{port}/dev")));
    assert_eq!(endpoint, Some(running.server.url()));
}

#[tokio::test]
async fn a_warm_rule_pings_on_time_and_every_firing_is_recorded() {
    let running = Running::start(keyed().warm("sample", "5m")).await;
    let name = "sample".parse().unwrap();
    assert_eq!(running.fixture.provider().pings(&name).await.unwrap().pings, []);
    for fired in 1..=2 {
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(300)).await;
        tokio::time::resume();
        running.until(fired, "warm sample 1 ping ").await;
        let pings = running.fixture.provider().pings(&name).await.unwrap().pings;
        assert_eq!(pings.len(), fired);
        assert!(pings[0].outcome.ends_with(" ms"), "{pings:?}");
        assert!(pings[0].at.ends_with('Z'), "{pings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_is_the_console_for_who_has_its_token_and_tells_no_secret() {
    let running =
        Running::start(keyed().environment("sample", "PASSWORD", "hush-hush").warm("sample", "5m")).await;
    let url = running.server.console_url();
    let opened =
        running.get(url.split_once("/?").map(|(_, query)| format!("/?{query}")).unwrap().as_str()).await;
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = running.send("GET", "/", &[("Cookie", &cookie)], b"").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("<title>ml_api · dev</title>"), "{}", page.text());
    let served = running.send("GET", "/_mdo/configuration", &[("Cookie", &cookie)], b"").await;
    assert!(served.text().contains("PASSWORD") && served.text().contains("GET /keyed"), "{}", served.text());
    for answer in [page, served] {
        assert!(!answer.text().contains(&running.fixture.key_value("default").await));
        assert!(!answer.text().contains("hush-hush"));
    }
}
