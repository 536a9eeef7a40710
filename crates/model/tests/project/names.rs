//! The names and numbers that messages and files carry.

use mdo_model::Sha256;
use mdo_model::project::Architecture;

#[test]
fn of_architectures_are_lambdas() {
    assert_eq!("arm64".parse(), Ok(Architecture::Arm64));
    assert_eq!(Architecture::X86_64.to_string(), "x86_64");
    assert_eq!(serde_json::to_string(&Architecture::ALL).unwrap(), r#"["x86_64","arm64"]"#);
    assert_eq!(
        "aarch64".parse::<Architecture>().unwrap_err().to_string(),
        "`aarch64` is not an architecture of Lambda: x86_64 or arm64"
    );
    let schema = serde_json::to_value(schemars::schema_for!(Architecture)).unwrap();
    assert!(schema.to_string().contains("arm64"));
}

#[test]
fn of_digests_are_hexadecimal_and_lambdas_base64() {
    let empty = Sha256::of(b"");
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty.to_string(), hex);
    assert_eq!(empty.base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    assert_eq!(Sha256::from_base64(&empty.base64()), Ok(empty));
    assert_eq!(hex.parse(), Ok(empty));
    assert_eq!(serde_json::from_str::<Sha256>(&format!("\"{hex}\"")).unwrap(), empty);
    assert!("é".repeat(32).parse::<Sha256>().is_err());
    assert!(Sha256::from_base64("c2hvcnQ=").is_err());
}
