//! Who decides what an environment variable is, and that no message repeats a value.

use mdo_model::project::{Assignment, Overrides, left_out};

use super::given::{Given, MINIMAL, name, revealed, set};

#[test]
fn later_sources_of_the_environment_win() {
    let given = Given::project(
        "name = \"ml_api\"\n[defaults.environment]\nAA = \"defaults\"\nBB = \"defaults\"\nCC = \"defaults\"\nDD = \"defaults\"\nEE = \"defaults\"\nFF = \"defaults\"\n[stages.dev.environment]\nCC = \"stage\"\nDD = \"stage\"\nEE = \"stage\"\nFF = \"stage\"\n",
    )
    .function("hello", r#"{"environment": {"BB": "function", "CC": "function"}}"#)
    .file("one.env", "DD=one\nEE=one\nFF=one\n")
    .file("two.json", r#" {"EE": "two", "FF": "two"}"#);
    let mut overrides = set(&["FF=a,b=c"]);
    overrides.env_files = vec![given.path("one.env"), given.path("two.json")];
    let settings = given.settings("dev", &overrides).expect("valid");
    let values: Vec<_> =
        ["AA", "BB", "CC", "DD", "EE", "FF"].map(|key| revealed(&settings, "hello", key)).to_vec();
    let expected = ["defaults", "function", "stage", "one", "two", "a,b=c"].map(Some);
    assert_eq!(values, expected);
}

#[test]
fn a_required_variable_that_nothing_sets_names_its_function_and_the_flag() {
    let given = Given::project(MINIMAL)
        .function("sample_producer", "{\n  \"required_environment\": [\"N_CLASSES\"]\n}");
    given.settings_fail_with(
        "dev",
        &Overrides::default(),
        "
        error: function sample_producer requires N_CLASSES, which nothing sets
          --> functions/sample_producer/function.json:2:28
          help: set it with -s N_CLASSES=…, in an environment file (-E), or under \"environment\" in function.json",
    );
    let settings = given.settings("dev", &set(&["N_CLASSES=2"])).expect("valid");
    assert_eq!(revealed(&settings, "sample_producer", "N_CLASSES"), Some("2"));
}

#[test]
fn a_required_variable_that_the_live_stage_keeps_counts_as_set() {
    let given = Given::project(MINIMAL).function("hello", r#"{"required_environment": ["N_CLASSES"]}"#);
    let project = given.load().expect("valid");
    let settings = project.resolve(project.default_stage(), &Overrides::default()).expect("valid");
    assert!(project.check_required_environment(&settings, &[].into(), None).is_err());
    let live = [(name("hello"), ["N_CLASSES".to_owned()].into())].into();
    assert_eq!(project.check_required_environment(&settings, &live, None), Ok(()));
}

#[test]
fn a_value_of_the_environment_is_a_string_and_is_never_repeated() {
    let given =
        Given::project("name = \"x\"\n[defaults.environment]\nTOKEN = 12345\nAWS_REGION = \"s3cret\"\n")
            .function("a", "{\"environment\": {\"N_CLASSES\": 54321, \"ON\": true, \"T\": \"s3cret\"}}");
    given.fails_with(
        "
        error: `defaults.environment.TOKEN` must be a string or a table, not a number
          --> project.toml:3:9
          help: write the value in quotes: TOKEN = \"…\"
        error: the environment variable `AWS_REGION` is reserved by Lambda
          --> project.toml:4:1
          help: choose another name
        error: `environment.N_CLASSES` must be a string or an object, not a number
          --> functions/a/function.json:1:31
          help: write the value in quotes: \"N_CLASSES\": \"…\"
        error: `environment.ON` must be a string or an object, not true or false
          --> functions/a/function.json:1:44
          help: write the value in quotes: \"ON\": \"…\"
        error: `T` is not the name of an environment variable: at least 2 letters, digits and `_`, starting with a letter
          --> functions/a/function.json:1:50",
    );
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let given = Given::project("name = \"x\"\n[stages.dev.environment]\nTOKEN = \"s3cret\"\n")
        .function("a", r#"{"environment": {"OTHER": "s3cret"}}"#);
    let project = given.load().expect("valid");
    let overrides = set(&["LAST=s3cret"]);
    let settings = project.settings(project.default_stage(), &overrides).expect("valid");
    assert!(!format!("{project:?} {overrides:?} {settings:?}").contains("s3cret"));
}

#[test]
fn an_environment_above_4_kb_is_refused() {
    let given = Given::project(MINIMAL).function("a", "{}");
    let with = |length: usize| set(&[&format!("XX={}", "v".repeat(length))]);
    given.settings("dev", &with(4096 - 9)).expect("exactly 4 KB");
    given.settings_fail_with(
        "dev",
        &with(4096 - 8),
        "
        error: the environment of function a has 4,097 bytes: Lambda takes at most 4,096
          help: keep large values elsewhere, such as in a file of the package or in Parameter Store",
    );
}

#[test]
fn unsetting_what_a_file_sets_says_where_it_is_set() {
    let given = Given::project("name = \"x\"\n[stages.dev.environment]\nAA = \"1\"\n")
        .function("a", "{\"environment\": {\n\"AA\": \"2\"}}")
        .function("b", "{}");
    let overrides = Overrides { unset: ["AA".to_owned(), "BB".to_owned()].into(), ..set(&["BB=1"]) };
    given.settings_fail_with(
        "dev",
        &overrides,
        "
        error: `AA` is to be unset, but a file sets it
          --> project.toml:3:1
          help: remove it there, or do not unset it
        error: `BB` is to be unset, but -s sets it
          help: remove it there, or do not unset it
        error: `AA` is to be unset, but a file sets it
          --> functions/a/function.json:2:1
          help: remove it there, or do not unset it",
    );
}

#[test]
fn a_dotenv_file_is_read_without_expanding_anything() {
    let text = "\u{feff}# comment\r\nexport AA = plain value # comment\r\nBB='$HOME \\n # \"'\nCC=\"line 1\nline 2\\t\\\"x\\\" $PATH\" # comment\n\nDD=\nEE=a#b=c\nFF=\"\"\nEE=last\n";
    let given = Given::project(MINIMAL).function("a", "{}").file("x.env", text);
    let overrides = Overrides { env_files: vec![given.path("x.env")], ..Overrides::default() };
    let settings = given.settings("dev", &overrides).expect("valid");
    let values = ["AA", "BB", "CC", "DD", "EE", "FF"].map(|key| revealed(&settings, "a", key));
    let expected = ["plain value", "$HOME \\n # \"", "line 1\nline 2\t\"x\" $PATH", "", "last", ""].map(Some);
    assert_eq!(values, expected);
}

#[test]
fn environment_files_that_cannot_be_read_say_where() {
    let given = Given::project(MINIMAL)
        .function("a", "{}")
        .file("a.env", "OK=1\nsecret line\nAWS_REGION=1\n'x'=1\nCC='x' y\n")
        .file("b.env", "AWS_REGION=1\n")
        .file("c.json", "{\n \"NN\": 5}")
        .file("d.env", "AA=\"x\n");
    let files = ["a.env", "b.env", "c.json", "d.env", "none"].map(|file| given.path(file)).to_vec();
    let overrides = Overrides { env_files: files, ..Overrides::default() };
    given.settings_fail_with(
        "dev",
        &overrides,
        "
        error: this line is not `NAME=value`
          --> ROOT/a.env:2:1
        error: only a comment may follow a value in quotes
          --> ROOT/a.env:5:8
        error: the environment variable `AWS_REGION` is reserved by Lambda
          --> ROOT/b.env:1:1
          help: choose another name
        error: `NN` must be a string
          --> ROOT/c.json:2:8
          help: write the value in quotes: \"NN\": \"…\"
        error: this value has no closing \"
          --> ROOT/d.env:1:4
        error: cannot read ROOT/none: No such file or directory (os error 2)",
    );
}

#[test]
fn an_assignment_never_repeats_its_value() {
    let error = |text: &str| text.parse::<Assignment>().expect_err("invalid").to_string();
    assert_eq!(error("s3cret"), "there is no `=`: write NAME=value");
    assert_eq!(
        error("AWS_SESSION_TOKEN=s3cret"),
        "the environment variable `AWS_SESSION_TOKEN` is reserved by Lambda"
    );
    assert_eq!("AB==,=".parse::<Assignment>().expect("valid").value.reveal(), "=,=");
}

#[test]
fn a_nul_character_in_a_value_is_refused_where_it_is_written() {
    let told =
        "the value of this environment variable holds a NUL character, which ends it for every program";
    assert_eq!("AA=s3c\0ret".parse::<Assignment>().expect_err("invalid").to_string(), told);
    let help = "help: remove the character, or write the value in base64";
    Given::project("name = \"x\"\n[defaults.environment]\nAA = \"s3c\\u0000ret\"\n")
        .function("a", r#"{"environment": {"BB": "s3c\u0000ret"}}"#)
        .fails_with(&format!(
            "
            error: {told}
              --> project.toml:3:6
              {help}
            error: {told}
              --> functions/a/function.json:1:24
              {help}"
        ));
    let given = Given::project(MINIMAL)
        .function("a", "{}")
        .file("a.env", "OK=1\nBB=s3c\0ret\n")
        .file("b.json", r#"{"CC": "s3c\u0000ret"}"#);
    let files = ["a.env", "b.json"].map(|file| given.path(file)).to_vec();
    given.settings_fail_with(
        "dev",
        &Overrides { env_files: files, ..Overrides::default() },
        &format!(
            "
            error: {told}
              --> ROOT/a.env:2:1
              {help}
            error: {told}
              --> ROOT/b.json:1:2
              {help}"
        ),
    );
}

#[test]
fn a_name_that_begins_with_aws_is_everybodys_unless_lambda_sets_it_itself() {
    for name in ["AWS_LAMBDA_EXEC_WRAPPER", "AWS_XRAY_CONTEXT_MISSING", "AWS_LWA_PORT", "AWS_RETRY_MODE"] {
        assert!(format!("{name}=x").parse::<Assignment>().is_ok(), "{name}");
    }
}

#[test]
fn a_value_in_quotes_over_several_lines_ends_them_as_it_does_elsewhere() {
    let text = "KEY=\"one\r\ntwo\\r\n\"\r\nRAW='a\r\nb'\r\nBARE=x\r\n";
    let given = Given::project(MINIMAL).function("a", "{}").file("x.env", text);
    let overrides = Overrides { env_files: vec![given.path("x.env")], ..Overrides::default() };
    let settings = given.settings("dev", &overrides).expect("valid");
    let values = ["KEY", "RAW", "BARE"].map(|key| revealed(&settings, "a", key));
    assert_eq!(values, ["one\ntwo\r\n", "a\nb", "x"].map(Some));
}

#[test]
fn the_env_file_that_nobody_named_may_be_absent_and_hold_credentials() {
    let text = "AWS_PROFILE=office\nAWS_ACCESS_KEY_ID=AKIAs3cret\nLEVEL=debug\n_HANDLER=s3cret\nX=s3cret\n";
    let given =
        Given::project(MINIMAL).function("a", "{}").file(".env", text).file("over.env", "LEVEL=info\n");
    let own = given.path(".env");
    let overrides = Overrides { own_env_file: Some(own.clone()), ..Overrides::default() };
    let settings = given.settings("dev", &overrides).expect("valid");
    let names: Vec<&String> = settings.functions[&name("a")].configuration.environment.keys().collect();
    assert_eq!(names, ["AWS_PROFILE", "LEVEL"]);
    let notes: Vec<String> = left_out(&own).iter().map(|note| note.message.clone()).collect();
    assert_eq!(
        notes,
        [
            "no function gets `AWS_ACCESS_KEY_ID`: the environment variable `AWS_ACCESS_KEY_ID` is reserved by Lambda",
            "no function gets `_HANDLER`: the environment variable `_HANDLER` is reserved by Lambda",
            "no function gets `X`: `X` is not the name of an environment variable: at least 2 letters, digits and `_`, starting with a letter",
        ]
    );
    let over = Overrides { env_files: vec![given.path("over.env")], ..overrides.clone() };
    let settings = given.settings("dev", &over).expect("valid");
    assert_eq!(revealed(&settings, "a", "LEVEL"), Some("info"), "-E weighs more");
    std::fs::remove_file(&own).expect("removed");
    given.settings("dev", &overrides).expect("an absent one is none");
    let named = Overrides { env_files: vec![own], ..Overrides::default() };
    assert!(given.settings("dev", &named).is_err());
}
