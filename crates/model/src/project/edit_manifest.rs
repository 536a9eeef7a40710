//! Sets a key of project.toml and leaves everything else as it is.

use toml_edit::{DocumentMut, Item, Table, value};

use super::DerivativeName;
use super::problem::{Problem, Problems};
use crate::Sha256;

/// The text of a project.toml with the digest of a derivative's prebuilt zip.
///
/// # Errors
///
/// The text is not TOML, or has no table where one has to be.
pub fn pin_derivative(text: &str, name: &DerivativeName, sha256: Sha256) -> Result<String, Problems> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| Problem::new(format!("project.toml: {}", error.message())))?;
    let mut table = document.as_table_mut() as &mut dyn toml_edit::TableLike;
    for key in ["derivatives", name.as_str()] {
        let item = table.entry(key).or_insert_with(|| Item::Table(Table::new()));
        table = item
            .as_table_like_mut()
            .ok_or_else(|| Problem::new(format!("`{key}` in project.toml is not a table")))?;
    }
    table.insert("sha256", value(sha256.to_string()));
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_set_and_nothing_else_changes() {
        let sha256 = Sha256::of(b"");
        let text = "name = \"x\" # mine\n\n[derivatives.a]\nzip   = \"a.zip\"\n\n[api]\ncors = true\n";
        let name: DerivativeName = "a".parse().unwrap();
        let pinned = pin_derivative(text, &name, sha256).unwrap();
        assert_eq!(pinned, text.replace("a.zip\"\n", &format!("a.zip\"\nsha256 = \"{sha256}\"\n")));
        let other = Sha256::of(b"other");
        let again = pin_derivative(&pinned, &name, other).unwrap();
        assert_eq!(again, pinned.replace(&sha256.to_string(), &other.to_string()));
        let inline = "derivatives.a = { zip = \"a.zip\" }\n";
        assert!(pin_derivative(inline, &name, sha256).unwrap().contains("sha256 = "));
    }
}
