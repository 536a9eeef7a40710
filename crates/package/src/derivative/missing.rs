//! What to say of a module that a Python function did not find.

/// What Python says of it; its name follows.
const NOT_FOUND: &str = "No module named '";

/// How to bring the module that an error says is missing; `None` for any other error.
pub fn missing_module_help(error: &str) -> Option<String> {
    let (_, rest) = error.split_once(NOT_FOUND)?;
    let module = rest.split(['\'', '.']).next()?;
    Some(format!("if `{module}` is of a package, mdo derivative create NAME PACKAGE brings it to functions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_goes_by_the_name_of_its_package() {
        for (error, module) in [
            ("Unable to import module 'sample': No module named 'sklearn'", Some("sklearn")),
            ("ModuleNotFoundError: No module named 'google.cloud'", Some("google")),
            ("ImportError: cannot import name 'a' from 'b'", None),
        ] {
            let help = missing_module_help(error);
            let expected = module.map(|module| {
                format!(
                    "if `{module}` is of a package, mdo derivative create NAME PACKAGE brings it to functions"
                )
            });
            assert_eq!(help, expected, "{error}");
        }
    }
}
