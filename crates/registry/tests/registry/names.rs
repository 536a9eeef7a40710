//! References: what is an image by its digest, what is not, and what to write instead.

use mdo_registry::{Reference, Repository};

const DIGEST: &str = "sha256:d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241";

#[test]
fn dockers_shorthands_stand_for_whole_names() {
    for (short, host, path) in [
        ("python", "docker.io", "library/python"),
        ("docker.io/python", "docker.io", "library/python"),
        ("index.docker.io/library/python", "docker.io", "library/python"),
        ("alice/shop", "docker.io", "alice/shop"),
        ("registry.example.com/shop", "registry.example.com", "shop"),
        ("registry.example.com/team/shop", "registry.example.com", "team/shop"),
        ("localhost/shop", "localhost", "shop"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c"),
        ("[::1]:5000/shop", "[::1]:5000", "shop"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml_api",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "ml_api",
        ),
    ] {
        let repository: Repository = short.parse().unwrap();
        assert_eq!((repository.host(), repository.path()), (host, path), "{short}");
        let reference: Reference = format!("{short}@{DIGEST}").parse().unwrap();
        assert_eq!(reference.repository, repository);
        assert_eq!(reference.to_string(), format!("{host}/{path}@{DIGEST}"));
    }
}

#[test]
fn a_tag_beside_the_digest_is_for_people() {
    let reference: Reference = format!("localhost:5000/shop:3.13-slim@{DIGEST}").parse().unwrap();
    assert_eq!(reference.tag.as_deref(), Some("3.13-slim"));
    assert_eq!(reference.repository.to_string(), "localhost:5000/shop");
    assert_eq!(format!("sha256:{}", reference.digest), DIGEST);
}

#[test]
fn a_name_without_a_digest_is_refused_with_the_way_to_it() {
    let error = "python:3.13-slim".parse::<Reference>().unwrap_err();
    assert_eq!(error.to_string(), "`python:3.13-slim` names no digest");
    assert_eq!(
        error.help(),
        "write python:3.13-slim@sha256:…, so that every deploy takes the same image; \
         `docker buildx imagetools inspect python:3.13-slim` or `skopeo inspect docker://python:3.13-slim` shows the digest"
    );
}

#[test]
fn what_is_no_name_is_refused_with_its_fault() {
    let long = format!("registry.example/{}@{DIGEST}", "n".repeat(256));
    for (text, reason) in [
        ("python@sha256:abc", "has no SHA-256 digest"),
        ("python@md5:d41d8cd98f00b204e9800998ecf8427e", "has no SHA-256 digest"),
        (&format!("Python@{DIGEST}"), "has capital letters, which the name of a repository must not have"),
        (&format!("python:-x@{DIGEST}"), "has no valid tag"),
        (&format!("a//b@{DIGEST}"), "is not the name of a repository"),
        (&format!("../etc@{DIGEST}"), "has no valid host"),
        (&format!("localhost:port/shop@{DIGEST}"), "has no valid host"),
        (&format!("registry.example/shop?x=y@{DIGEST}"), "is not the name of a repository"),
        (&format!("user:secret@registry.example/shop@{DIGEST}"), "has no SHA-256 digest"),
        (&long, "is not the name of a repository"),
        ("", "names no digest"),
        (&format!("@{DIGEST}"), "is not the name of a repository"),
    ] {
        let error = text.parse::<Reference>().unwrap_err();
        assert_eq!(error.to_string(), format!("`{text}` {reason}"));
    }
}
