//! Routes that cannot stand together.

use mdo_model::project::Overrides;

use super::given::{Given, MINIMAL, name, unindented};

#[test]
fn two_functions_cannot_have_one_route() {
    Given::project(MINIMAL)
        .function("a", r#"{"routes": ["GET /x", "POST /x", "ANY /b"]}"#)
        .function("b", "{}")
        .function("c", r#"{"routes": ["PUT /x", {"security": "open", "route": "GET /x"}]}"#)
        .fails_with(
            "
            error: b has the route `ANY /b`, which a has already
              --> functions/b/function.json:1:1
              help: the first one is at functions/a/function.json:1:34
            error: c has the route `GET /x`, which a has already
              --> functions/c/function.json:1:53
              help: the first one is at functions/a/function.json:1:13",
        );
}

#[test]
fn parameters_at_one_position_have_one_name() {
    Given::project(MINIMAL)
        .function("a", r#"{"routes": ["GET /x/{id}", "POST /x/{id}/y/{n}", "GET /y/{name}"]}"#)
        .function("b", r#"{"routes": ["GET /x/{name}/z"]}"#)
        .fails_with(
            "
            error: `GET /x/{name}/z` has the parameter `{name}` where `GET /x/{id}` has `{id}`: API Gateway allows one name there
              --> functions/b/function.json:1:13
              help: give both the same name; the other is at functions/a/function.json:1:13",
        );
}

#[test]
fn a_character_that_api_gateway_refuses_in_a_path_is_found_before_it_is_asked() {
    let routes = |segment: &str| format!(r#"{{"routes": ["GET /{segment}"]}}"#);
    for refused in "@ ~ ; = * + ( ) ! $ ' % é & [ ^ |".split(' ') {
        let given = Given::project(MINIMAL).function("a", &routes(&format!("a{refused}b")));
        let problems = given.load().expect_err(refused);
        let expected = format!(
            "
            error: `a{refused}b` in `/a{refused}b` is not a path segment of API Gateway: letters, digits and `-._,:`, or one parameter as `{{name}}`, or `{{name+}}` at the end
              --> functions/a/function.json:1:13"
        );
        assert_eq!(given.plain(&problems), unindented(&expected));
    }
    let taken = Given::project(MINIMAL).function("a", &routes("a-b_c.d,e:f/{id}/{rest+}"));
    assert!(taken.load().is_ok());
}

#[test]
fn a_route_of_another_tool_comes_with_how_it_is_written_here() {
    for (written, help) in [
        ("GET /x/", "GET /x"),
        ("GET //x", "GET /x"),
        ("get /x", "GET /x"),
        ("/x", "ANY /x"),
        ("GET x", "GET /x"),
        ("GET /u/:id", "GET /u/{id}"),
        ("/u/:id/", "ANY /u/{id}"),
        ("GET /u/<int:id>/y", "GET /u/{id}/y"),
        ("GET /files/*", "GET /files/{proxy+}"),
    ] {
        let given = Given::project(MINIMAL).function("a", &format!(r#"{{"routes": ["{written}"]}}"#));
        let problems = given.plain(&given.load().expect_err(written));
        assert!(
            problems.ends_with(&format!("\n  --> functions/a/function.json:1:13\n  help: write `{help}`")),
            "{problems}"
        );
    }
}

#[test]
fn an_api_holds_300_resources() {
    let routes = |count: usize| {
        let routes: Vec<String> = (0..count).map(|index| format!("\"GET /r/{index}\"")).collect();
        format!("{{\"routes\": [{}]}}", routes.join(","))
    };
    assert!(Given::project(MINIMAL).function("a", &routes(298)).load().is_ok());
    Given::project(MINIMAL).function("a", &routes(299)).fails_with(
        "
        error: the routes need 301 resources: API Gateway holds at most 300 in one API
          help: let routes share paths, or take many with one `{proxy+}`",
    );
}

#[test]
fn no_routes_means_no_api_only_when_it_says_so() {
    let given = Given::project(MINIMAL).function("a", r#"{"routes": []}"#);
    assert!(given.at("dev").functions[&name("a")].routes.is_empty());
}

#[test]
fn an_options_route_collides_with_cors_at_the_stage_that_has_it() {
    let given = Given::project("name = \"x\"\n[stages.prod.api]\ncors = true\n")
        .function("a", r#"{"routes": ["OPTIONS /x"]}"#);
    given.at("dev");
    given.settings_fail_with(
        "prod",
        &Overrides::default(),
        "
        error: `OPTIONS /x` collides with `cors = true`, which answers OPTIONS itself
          --> functions/a/function.json:1:13
          help: remove the route, or switch `cors` off under `[api]` in project.toml",
    );
}
