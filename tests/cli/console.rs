//! The console of `mdo dev`, in a real browser.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::reference;
use crate::support::browser::Browser;
use crate::support::http;
use crate::support::project::TestProject;

/// Shows a page of the console.
fn go(browser: &Browser, page: &str) {
    browser.script(&format!("location.hash = '{page}'"));
}

#[track_caller]
fn has_no_barriers(browser: &Browser, page: &str) {
    assert_eq!(browser.barriers(), Vec::<String>::new(), "{page}");
}

#[test]
fn a_function_is_tested_and_its_sample_is_plotted() {
    let Some(browser) = Browser::start() else { return };
    let reference = reference::served();
    browser.visit(reference.serving.page());
    browser.shows("live");
    browser.shows("GET");
    // The token is a cookie now, and no part of the address.
    assert_eq!(browser.script("return location.search"), "");
    let quota = "0 of 10,000 requests a day";
    browser.shows(quota);
    browser.press("a[href='#/function/sample_producer']");
    browser.shows("API request");
    browser.press_button("Test");
    browser.shows("200 OK");
    browser.comes_to("return document.querySelectorAll('svg.plot circle').length === 102");
    assert_eq!(
        browser.script("return document.querySelector('svg.plot').getAttribute('aria-label')"),
        "vec_1 against vec_0, 100 points, coloured by target"
    );
    browser.comes_to(
        "return / · cold start [\\d.]+ ms · \\d+ MB$/.test(document.querySelector('#outcome').textContent)",
    );
    // What was logged of that very request comes by itself.
    browser.shows("sample_producer · GET /dev/sample_producer 200 · ");
    has_no_barriers(&browser, "function");

    // What is not JSON is said while one types.
    browser.script("const kind = document.querySelector('#kind'); kind.value = 'json'; kind.dispatchEvent(new Event('change'))");
    browser.types("#custom", "{");
    browser.comes_to("return document.querySelector('#custom').getAttribute('aria-invalid') === 'true'");
    browser.script("document.querySelector('#custom').value = '{\"queryStringParameters\": null}'");
    browser.press_button("Test");
    browser.comes_to("return document.querySelector('#outcome')?.textContent.startsWith('done · ') === true");
    assert!(browser.script("return document.querySelectorAll('optgroup option').length") == 2);
    browser.press_button("Run 100 times");
    browser.shows("100 runs, 4 at a time");
    browser.shows("none failed");
    assert!(browser.script("return document.querySelectorAll('svg.plot rect').length") == 24);

    go(&browser, "#/");
    browser.shows("1 of 10,000 requests a day");
    if std::env::var_os("MDO_WRITE_DOCS").is_some() {
        pictures(&browser);
    }
}

/// Writes down what the README shows.
fn pictures(browser: &Browser) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/console");
    fs::create_dir_all(&folder).unwrap();
    for (page, name, until) in [
        ("#/", "overview", "return document.querySelector('.due')?.textContent.includes(':') === true"),
        ("#/function/sample_producer", "function", "return document.querySelector('#path') !== null"),
        ("#/logs", "logs", "return document.querySelectorAll('.log li').length > 5"),
        ("#/pictures", "pictures", "return document.querySelector('img').complete"),
    ] {
        go(browser, page);
        browser.comes_to(until);
        browser.resize(1100, if name == "function" { 1500 } else { 760 });
        if name == "function" {
            browser.press_button("Test");
            browser.comes_to("return document.querySelectorAll('svg.plot circle').length === 102");
        }
        browser.screenshot(&folder.join(format!("{name}.png")));
    }
}

#[test]
fn keys_logs_pings_and_mistakes_are_seen_while_they_happen() {
    let Some(browser) = Browser::start() else { return };
    let project = TestProject::local_with_echo();
    project.set("echo", "warm", json!({"rate": "1m"}));
    let serving = project.mdo("dev --port 0").serves();
    browser.visit(serving.page());
    browser.shows("every minute · next in ");
    let key = project.key("default");
    assert!(!browser.text().contains(&key));
    browser.press_button("Reveal");
    browser.shows(&key);
    browser.press_button("Hide");
    browser.comes_to(&format!("return !document.body.innerText.includes('{key}')"));
    // A script sees what goes to the clipboard; a browser without a window has none.
    browser.script("navigator.clipboard.writeText = async (text) => { window.copied = text; }");
    for (button, part) in [
        ("Copy", ""),
        ("curl", "curl -H 'x-api-key: "),
        ("HTTPie", "http GET "),
        ("Python", "import requests"),
    ] {
        browser.press_button(button);
        browser.comes_to(&format!(
            "return window.copied?.startsWith({part:?}) && window.copied.includes('{key}')"
        ));
    }
    has_no_barriers(&browser, "overview");
    browser.prefers_dark(true);
    has_no_barriers(&browser, "overview in the dark");

    // A mistake is shown with its reason, and goes when it is mended.
    let settings = project.read("functions/echo/function.json");
    project.write("functions/echo/function.json", "{ \"memry\": 256 }");
    browser.shows("unknown key `memry`");
    browser.shows("did you mean `memory`?");
    project.write("functions/echo/function.json", &settings.replacen("{", "{\n  \"memory\": 256,", 1));
    browser.comes_to("return !document.body.innerText.includes('unknown key')");
    browser.shows("~ function shop_echo: memory");
    browser.shows("256 MB");

    // Logs come while one looks, filtered, and a request opens as one group.
    go(&browser, "#/logs");
    assert_eq!(serving.get("/echo?say=hello-from-the-test", Some(&key)).status(), 200);
    assert_eq!(serving.get("/echo", None).status(), 403);
    browser.shows("GET /dev/echo 200 · ");
    browser.shows("GET /dev/echo 403");
    has_no_barriers(&browser, "logs");
    browser.script("const level = document.querySelector('#log-level'); level.value = 'warn'; level.dispatchEvent(new Event('change'))");
    browser.comes_to("return document.querySelectorAll('.log li').length === 1");
    go(&browser, "#/configuration");
    browser.shows("\"kind\": \"function\"");
    browser.press_button("Plan against AWS");
    browser.shows("error: ");
    has_no_barriers(&browser, "configuration");
    go(&browser, "#/pictures");
    browser.comes_to("return document.querySelector('img').naturalWidth === 960");
    has_no_barriers(&browser, "pictures");

    // Search is a key away, and goes where it leads.
    go(&browser, "#/");
    browser.shows("Warm rules");
    browser.types("main", "/");
    browser.types("#search", "ech");
    browser.comes_to("return document.querySelectorAll('#found li').length === 2");
    browser.types("#search", "\u{e007}");
    browser.comes_to("return location.hash === '#/function/echo'");

    // On a phone nothing is wider than the window.
    browser.resize(390, 844);
    for page in ["#/", "#/function/echo", "#/logs", "#/pictures", "#/configuration"] {
        go(&browser, page);
        browser.comes_to("return document.documentElement.scrollWidth <= window.innerWidth");
    }

    // The rule fires, and is seen to.
    go(&browser, "#/");
    browser.comes_to("return /\\d+\\.\\d ms/.test(document.body.innerText)");

    // Another start has another token, and a page that is open goes on.
    let port = serving.address().port();
    serving.signal("INT");
    serving.exits(0);
    browser.shows("trying again");
    let again = project.mdo(&format!("dev --port {port}")).serves();
    browser.shows("live");
    assert_eq!(again.address().port(), port);
    assert_eq!(browser.script("return fetch('/_mdo/configuration').then((answer) => answer.status)"), 200);
}

#[test]
fn nobody_else_is_let_into_the_console() {
    let project = TestProject::local_with_echo();
    let serving = project.mdo("dev --port 0").serves();
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let body: &[u8] = if method == "POST" { b"{\"name\": \"default\"}" } else { b"" };
        http::request(serving.address(), method, path, headers, body).unwrap()
    };
    let token = serving.page().split_once("token=").unwrap().1;
    let cookie = format!("mdo-{}={token}", serving.address().port());
    let opened = ask("GET", &format!("/?token={token}"), &[]);
    assert_eq!((opened.status(), opened.header("location")), (303, Some("/")));
    assert_eq!(opened.header("set-cookie"), Some(&*format!("{cookie}; Path=/; HttpOnly; SameSite=Strict")));
    let page = ask("GET", "/", &[("Cookie", &cookie)]);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-"), "{policy}");
    assert_eq!(page.status(), 200);
    let revealed = ask("POST", "/_mdo/key", &[("Cookie", &cookie)]);
    assert_eq!(revealed.body, format!("{{\"value\":\"{}\"}}", project.key("default")).into_bytes());

    let stranger = ask("GET", "/", &[]);
    assert_eq!(stranger.status(), 401);
    assert!(String::from_utf8_lossy(&stranger.body).contains("the address that mdo dev has printed"));
    for path in ["/_mdo/key", "/_mdo/run", "/_mdo/plan"] {
        assert_eq!(ask("POST", path, &[]).status(), 401, "{path}");
        assert_eq!(ask("POST", &format!("{path}?token={token}"), &[]).status(), 401, "{path}");
        let foreign = [("Cookie", &*cookie), ("Origin", "http://evil.example")];
        assert_eq!(ask("POST", path, &foreign).status(), 403, "{path}");
        assert_eq!(ask("GET", path, &[("Cookie", &cookie)]).status(), 405, "{path}");
    }
    for path in ["/_mdo/events", "/_mdo/configuration", "/_mdo/picture.svg"] {
        assert_eq!(ask("GET", path, &[]).status(), 401, "{path}");
        assert_eq!(
            ask("GET", path, &[("Cookie", &cookie), ("Host", "evil.example")]).status(),
            403,
            "{path}"
        );
    }
    assert_eq!(ask("GET", "/_mdo/nothing", &[("Cookie", &cookie)]).status(), 404);
    assert_eq!(ask("GET", "/_mdo", &[("Cookie", &cookie)]).status(), 200);
}
