//! Tags of the project's own.

use super::given::Given;

#[test]
fn a_stages_tags_weigh_more_on_what_is_its_own() {
    let given = Given::project(
        "name = \"x\"\n[tags]\nteam = \"ml\"\n\"Cost Center\" = \"42\"\n[stages.prod.tags]\nteam = \"live\"\n",
    );
    let shown = |stage: &str| {
        let settings = given.at(stage);
        let text = |tags: &mdo_model::project::Tags| {
            tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        (text(&settings.tags), text(&settings.stage_tags))
    };
    let project = ["Cost Center=42", "team=ml"].map(str::to_owned).to_vec();
    assert_eq!(shown("dev"), (project.clone(), project.clone()));
    assert_eq!(shown("prod"), (project, vec!["Cost Center=42".to_owned(), "team=live".to_owned()]));
}

#[test]
fn what_aws_would_refuse_is_refused_where_it_stands() {
    Given::project(
        "name = \"x\"
[tags]
\"AWS:team\" = \"a\"
\"mdo:team\" = \"a\"
\"a{b\" = \"a\"
\"\" = \"a\"
\" a\" = \"a\"
who = \"(me)\"
count = 7
[stages.prod.tags]
team = true
",
    )
    .fails_with(
        "
        error: the tag `AWS:team`: names that begin with `aws:` are AWS's own
          --> project.toml:3:1
          help: choose another name
        error: the tag `mdo:team`: names that begin with `mdo:` are mdo's own
          --> project.toml:4:1
          help: choose another name
        error: the name of the tag `a{b` has a `{` in it
          --> project.toml:5:1
          help: AWS takes letters, digits, spaces and _ . : / = + - @ in tags
        error: the name of a tag has 1 to 128 characters, not 0
          --> project.toml:6:1
        error: the tag ` a` has a space at an end of its name
          --> project.toml:7:1
        error: the value `(me)` of a tag has a `(` in it
          --> project.toml:8:7
          help: AWS takes letters, digits, spaces and _ . : / = + - @ in tags
        error: `tags.count` must be a string, not a number
          --> project.toml:9:9
          help: write the value in quotes: count = \"…\"
        error: `stages.prod.tags.team` must be a string, not true or false
          --> project.toml:11:8
          help: write the value in quotes: team = \"…\"
        ",
    );
    Given::project(&format!("name = \"x\"\n[tags]\nteam = \"{}\"\n", "a".repeat(257))).fails_with(
        "
        error: `tags.team` has 257 characters: 256 is the most
          --> project.toml:3:8
        ",
    );
}

#[test]
fn tags_that_no_resource_can_have_together_are_refused() {
    let many = |count: usize| (0..count).map(|number| format!("t{number} = \"\"\n")).collect::<String>();
    Given::project(&format!("name = \"x\"\n[tags]\n{}[stages.prod.tags]\nmore = \"\"\n", many(40)))
        .fails_with(
            "
        error: there are 41 tags: 40 is the most, beside those of mdo's own
          --> project.toml:43:14
        ",
        );
    Given::project("name = \"x\"\n[tags]\nteam = \"a\"\nTeam = \"b\"\n").fails_with(
        "
        error: the tags `Team` and `team` are the same one for IAM, which does not tell upper from lower case
          --> project.toml:2:2
          help: remove one of them
        ",
    );
    let long: String = (0..10).map(|number| format!("{}{number} = \"\"\n", "a".repeat(120))).collect();
    Given::project(&format!("name = \"x\"\n[tags]\n{long}")).fails_with(
        "
        error: the names of the tags have more than 1024 characters together, which is the most that mdo can record
          --> project.toml:2:2
          help: shorten the names
        ",
    );
}
