//! The schema and the reference describe every key.

use mdo_model::project::{SchemaKind, reference, schema};

#[test]
fn the_schema_and_the_reference_describe_every_key() {
    for kind in [SchemaKind::Project, SchemaKind::Function] {
        let schema = schema(kind);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        for (key, property) in schema["properties"].as_object().expect("properties") {
            assert!(property["description"].is_string(), "{key} has no description");
            if key != "$schema" {
                assert!(
                    reference(kind).contains(&format!("\n| `{key}` | ")),
                    "{key} is not in the reference"
                );
            }
        }
    }
    assert!(
        reference(SchemaKind::Function)
            .contains("\n| `memory` | integer, 128 to 10240 | `128` | Memory in MB. |\n| `permissions` |")
    );
    assert!(reference(SchemaKind::Project).contains("\n| `name` | string | required | The project's name:"));
}
