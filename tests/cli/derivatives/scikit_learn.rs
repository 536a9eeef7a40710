//! The guide's own function with the scikit-learn of PyPI: `MDO_SCIKIT_LEARN=1 cargo test -p mdo --test cli scikit_learn -- --nocapture`.

use std::io::Write;
use std::time::Instant;

use mdo_model::Sha256;

use super::{python, runtime};
use crate::support::project::TestProject;
use crate::support::uv;

/// The SHA-256 of the guide's answer for two classes.
const GOLDEN: &str = "d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241";

/// From an empty folder to the first answer, in two commands.
#[test]
fn an_empty_folder_answers_as_the_guide_does() {
    if std::env::var_os("MDO_SCIKIT_LEARN").is_none() {
        return;
    }
    let project = TestProject::local();
    let (uv, python) = (uv::uv().to_str().unwrap(), python());
    let mdo = |arguments: &str| {
        let command = project.mdo(arguments).env("MDO_UV", uv).env("MDO_PYTHON", python.to_str().unwrap());
        // How this machine reaches PyPI.
        let ways = std::env::vars()
            .filter(|(name, _)| ["SSL_", "UV_", "HTTP", "http"].iter().any(|way| name.starts_with(way)));
        ways.fold(command, |command, (name, value)| command.env(&name, &value))
    };
    let say = |text: &str, begun: Instant| {
        let _ = writeln!(std::io::stderr(), "{text:<22} {:?}", begun.elapsed());
    };
    let begun = Instant::now();
    mdo(&format!("init --runtime {}", runtime())).exits(0);
    let serving = mdo("dev --port 0").serves();
    say("served after", begun);
    let key = project.key("default");
    for which in ["first answer", "second answer"] {
        let begun = Instant::now();
        let answer = serving.get("/sample_producer", Some(&key));
        say(which, begun);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(Sha256::of(answer.text().as_bytes()).to_string(), GOLDEN);
    }
    let ping = mdo("invoke sample_producer - --local").reads(r#"{"mdo": {"warm": true}}"#).exits(0);
    assert_eq!(ping.stdout, "{\"warm\": true}\n");
    serving.signal("INT");
    serving.exits(0);
}
