//! A browser: Debian's Chromium, without a window, driven through its ChromeDriver. It knows no page.
//!
//! The crates for it would change what is tested: one has JSON keep its order in the whole tree, the other brings a second `http`. The
//! protocol is a dozen requests.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http;
use super::venv::with_packages;

/// When what does not come is given up. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What Chromium needs to run here, and to leave the network alone.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
];

/// A browser with one window. It ends with the test.
pub struct Browser {
    driver: SocketAddr,
    session: String,
    process: Child,
    /// Dropped last: Chromium writes into it until it has ended.
    _profile: TempDir,
}

impl Browser {
    /// If this machine has one.
    #[expect(clippy::print_stderr, reason = "who reads the tests is told what they have not tried")]
    pub fn start() -> Option<Browser> {
        let process =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut process) = process else {
            eprintln!("skipping what needs a browser: apt-get install chromium chromium-driver");
            return None;
        };
        let driver = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port(&mut process));
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<String> = FLAGS.iter().map(ToString::to_string).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": {"args": flags}});
        let wanted = json!({"capabilities": {"alwaysMatch": wanted}});
        let mut browser = Browser { driver, session: String::new(), process, _profile: profile };
        let session = browser.asks("POST", "/session", &wanted);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// What the driver answers: <https://www.w3.org/TR/webdriver2/>.
    #[track_caller]
    fn asks(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let headers = [("Content-Type", "application/json")];
        let answer = http::request(self.driver, method, path, &headers, body.as_bytes()).unwrap();
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status(), 200, "{method} {path} {document:#}");
        document["value"].clone()
    }

    #[track_caller]
    fn does(&self, command: &str, body: &Value) -> Value {
        self.asks("POST", &format!("{}/{command}", self.session), body)
    }

    /// Opens an address.
    pub fn visit(&self, url: &str) {
        self.does("url", &json!({ "url": url }));
    }

    /// Makes the window so large, in pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.does("window/rect", &json!({"width": width, "height": height}));
    }

    /// What a script in the page returns; a promise is waited for.
    #[track_caller]
    pub fn script(&self, script: &str) -> Value {
        self.does("execute/sync", &json!({"script": script, "args": []}))
    }

    /// The text of the page that can be seen.
    pub fn text(&self) -> String {
        self.script("return document.body.innerText").as_str().unwrap().to_owned()
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        let text = json!(text);
        self.comes_to(&format!("return document.body.innerText.includes({text})"));
    }

    /// Waits until a script in the page returns what is true.
    #[track_caller]
    pub fn comes_to(&self, script: &str) {
        let end = Instant::now() + PATIENCE;
        while self.script(script) != true {
            assert!(Instant::now() < end, "never true: {script}\n{}", self.text());
            thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn element(&self, using: &str, value: &str) -> String {
        let found = self.does("element", &json!({"using": using, "value": value}));
        let id = found.as_object().and_then(|found| found.values().next()?.as_str().map(str::to_owned));
        format!("element/{}", id.unwrap())
    }

    /// Presses an element.
    #[track_caller]
    pub fn press(&self, css: &str) {
        self.does(&format!("{}/click", self.element("css selector", css)), &json!({}));
    }

    /// Presses the button with a name.
    #[track_caller]
    pub fn press_button(&self, name: &str) {
        let button = self.element("xpath", &format!("//button[normalize-space()={name:?}]"));
        self.does(&format!("{button}/click"), &json!({}));
    }

    /// Types into an element.
    #[track_caller]
    pub fn types(&self, css: &str, text: &str) {
        self.does(&format!("{}/value", self.element("css selector", css)), &json!({ "text": text }));
    }

    /// Whether the page is told to be dark.
    pub fn prefers_dark(&self, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.does("goog/cdp/execute", &json!({"cmd": "Emulation.setEmulatedMedia", "params": features}));
    }

    /// Writes down what the window shows, as PNG.
    pub fn screenshot(&self, file: &Path) {
        let picture = self.asks("GET", &format!("{}/screenshot", self.session), &Value::Null);
        let picture = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap());
        fs::write(file, picture.unwrap()).unwrap();
    }

    /// What axe finds that keeps people out, a line each. It is fetched from PyPI, where a package brings it.
    pub fn barriers(&self) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe");
        let packages = ["--no-deps", "axe-playwright-python==0.1.8"];
        let python = with_packages(&folder, Path::new("python3"), &packages).unwrap();
        let code = "import axe_playwright_python, os; print(os.path.dirname(axe_playwright_python.__file__))";
        let found = Command::new(python).args(["-c", code]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let axe = fs::read_to_string(Path::new(found.trim()).join("axe.min.js")).unwrap();
        self.script(&axe);
        let report = self.script(
            "const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']; \
             return axe.run(document, { runOnly: tags }).then(({ violations, passes }) => [passes.length, violations.flatMap((one) => \
             one.nodes.map((node) => `${one.impact} ${one.id}: ${node.html} ${node.failureSummary}`))])",
        );
        assert!(report[0].as_u64().unwrap() > 5, "{report}");
        report[1].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session. The driver is killed next, whatever it answers.
        let _ = http::request(self.driver, "DELETE", &self.session, &[], b"");
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The port that a driver has chosen.
fn port(process: &mut Child) -> u16 {
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut lines = lines
        .map(|line| line.strip_prefix("ChromeDriver was started successfully on port ").map(str::to_owned));
    let port = lines.find_map(|port| port).unwrap();
    // Nobody reads on, and nothing is written: what it logs is off.
    port.trim_end_matches('.').parse().unwrap()
}
