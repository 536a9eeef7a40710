//! The workflow of `mdo init --ci`: what of it a project decides, and where git wants it. It asks nobody but the files.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use mdo_model::project::{Overrides, Problems, Project, ProjectName, StageName};

use super::{NewFile, text};

const GITHUB: &str = include_str!("github.yml");

/// Where mdo's sources are, for a pipeline that builds it. Empty as long as they are nowhere.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Whose pipelines there is a workflow for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Ci {
    Github,
}

/// What a project decides of its workflow.
pub(super) struct Pipeline {
    pub project: ProjectName,
    /// The stage that a push deploys.
    pub default_stage: StageName,
    /// All stages, the default one first.
    pub stages: Vec<StageName>,
    /// The variables of functions that must come from outside.
    pub variables: BTreeSet<String>,
    /// The region, where the files name one.
    pub region: Option<String>,
    /// Whether the files name a profile, which no runner has.
    pub has_profile: bool,
    /// Whether uv builds something.
    pub has_derivatives: bool,
}

impl Pipeline {
    /// What the files of a project decide.
    ///
    /// # Errors
    /// What is wrong with a stage.
    pub(super) fn of(project: &Project) -> Result<Self, Problems> {
        let default_stage = project.default_stage().clone();
        let others = project.stages().filter(|stage| **stage != default_stage).cloned();
        let mut pipeline = Self {
            project: project.name().clone(),
            stages: std::iter::once(default_stage.clone()).chain(others).collect(),
            default_stage,
            variables: BTreeSet::new(),
            region: None,
            has_profile: false,
            has_derivatives: false,
        };
        for stage in &pipeline.stages {
            let settings = project.resolve(stage, &Overrides::default())?;
            pipeline.variables.extend(project.unset_variables(&settings));
            pipeline.region = pipeline.region.or_else(|| settings.region.clone());
            pipeline.has_profile |= settings.profile.is_some() && !settings.profile_unless_env;
            pipeline.has_derivatives |= !settings.derivatives.is_empty();
        }
        Ok(pipeline)
    }

    /// The workflow of the project in `folder`, by its path from there.
    pub(super) fn workflow(&self, folder: &Path) -> NewFile {
        let Checkout { up, below, branch } = Checkout::around(folder);
        let is_whole = below.as_os_str().is_empty();
        let name = if is_whole { "mdo".to_owned() } else { format!("mdo-{}", self.project) };
        let path = Path::new(".github/workflows").join(format!("{name}.yml"));
        let (folder, paths) = if is_whole {
            (String::new(), String::new())
        } else {
            let below = below.display();
            let paths = [format!("{below}/**"), path.display().to_string()].map(|path| quoted(&path));
            let folder = format!("\n    working-directory: {}", quoted(&below.to_string()));
            (folder, format!("\n    paths: [{}]", paths.join(", ")))
        };
        let stages: Vec<String> = self.stages.iter().map(|stage| quoted(stage.as_str())).collect();
        let settings = self.settings().iter().fold(String::new(), |mut text, [kind, name, use_]| {
            let _ = writeln!(text, "#   {kind:<11}  {name}: {use_}");
            text
        });
        let content = [
            ("@SETTINGS@\n", settings.as_str()),
            ("@INSTALL@\n", &self.install()),
            ("@ENVIRONMENT@\n", &self.environment(None)),
            ("@ENVIRONMENT_OF_DEPLOY@\n", &self.environment(Some("YES: ${{ inputs.yes && 'yes' || '' }}"))),
            ("@VALUES@", &self.values()),
            ("@FLAGS@", &self.flags()),
            ("@REGION@", &self.region()),
            ("@STAGES@", &stages.join(", ")),
            ("@DEFAULT@", self.default_stage.as_str()),
            ("@NAME@", &name),
            ("@BRANCH@", &branch),
            ("@PATHS@", &paths),
            ("@FOLDER@", &folder),
        ]
        .into_iter()
        .fold(GITHUB.to_owned(), |content, (mark, with)| content.replace(mark, with));
        text(up.join(path), content)
    }

    /// What is to be done on GitHub before the workflow runs.
    pub(super) fn next_steps(&self) -> String {
        let settings = self.settings();
        let width = settings.iter().map(|[_, name, _]| name.len()).max().unwrap_or_default();
        settings.iter().fold(
            "\nIn the settings of the repository on GitHub:\n".to_owned(),
            |mut text, [kind, name, use_]| {
                let _ = writeln!(text, "  {kind:<11}  {name:<width$}  {use_}");
                text
            },
        )
    }

    /// Kind, name and use of everything that the workflow takes from the settings of its repository.
    fn settings(&self) -> Vec<[String; 3]> {
        let setting =
            |kind: &str, name: &str, use_: &str| [kind.to_owned(), name.to_owned(), use_.to_owned()];
        let mut settings = vec![
            setting(
                "variable",
                "AWS_ROLE_TO_PLAN",
                "the ARN of a role that may read; mdo policy --ci github:OWNER/REPO --pull-requests says whom it trusts",
            ),
            setting(
                "variable",
                "AWS_ROLE_TO_DEPLOY",
                "the ARN of one that deploys; mdo policy --ci github:OWNER/REPO --environment STAGE says whom",
            ),
        ];
        settings.push(match &self.region {
            Some(region) => {
                setting("variable", "AWS_REGION", &format!("another region than {region}, if any"))
            }
            None => setting("variable", "AWS_REGION", "the region of AWS"),
        });
        settings.push(setting(
            "variable",
            "MDO_WHEEL",
            "path or address of the wheel of mdo, installed in seconds",
        ));
        let otherwise = match REPOSITORY {
            "" => "or the git address of mdo, to build it from; takes minutes",
            _ => "or another git address of mdo, to build it from; takes minutes",
        };
        settings.push(setting("variable", "MDO_REPOSITORY", otherwise));
        for variable in &self.variables {
            settings.push(setting(
                "secret",
                &secret(variable),
                &format!("{variable} of the functions; a variable where it is none"),
            ));
        }
        let stages: Vec<&str> = self.stages.iter().map(StageName::as_str).collect();
        settings.push(setting(
            "environment",
            &stages.join(", "),
            "with a stage's own settings, and who is asked before a deploy",
        ));
        settings
    }

    /// How mdo comes onto the runner, and uv where something needs it.
    fn install(&self) -> String {
        let repository = match REPOSITORY {
            "" => "${{ vars.MDO_REPOSITORY }}".to_owned(),
            address => format!("${{{{ vars.MDO_REPOSITORY || '{address}' }}}}"),
        };
        let uv = if self.has_derivatives { "          pipx install uv\n" } else { "" };
        format!(
            "        env:
          WHEEL: ${{{{ vars.MDO_WHEEL }}}}
          REPOSITORY: {repository}
        run: |
          if [ -n \"$WHEEL\" ]; then
            pipx install \"$WHEEL\"
          elif [ -n \"$REPOSITORY\" ]; then
            cargo install --locked --git \"$REPOSITORY\" mdo
          else
            echo \"::error title=no mdo::set the variable MDO_WHEEL or MDO_REPOSITORY in the settings of this repository\"
            exit 1
          fi
          mdo --version
{uv}"
        )
    }

    /// The environment of a step that needs the variables, which are never in a command line.
    fn environment(&self, also: Option<&str>) -> String {
        let secret = |variable: &String| {
            let name = secret(variable);
            format!("SECRET_{variable}: ${{{{ secrets.{name} || vars.{name} }}}}")
        };
        let lines: Vec<String> =
            also.map(str::to_owned).into_iter().chain(self.variables.iter().map(secret)).collect();
        if lines.is_empty() {
            return String::new();
        }
        lines.iter().fold("        env:\n".to_owned(), |text, line| format!("{text}          {line}\n"))
    }

    /// What writes the variables that are set into the command after it, as JSON, which holds any text.
    fn values(&self) -> String {
        if self.variables.is_empty() {
            return String::new();
        }
        let members: Vec<String> =
            self.variables.iter().map(|variable| format!("{variable:?}: env.SECRET_{variable}")).collect();
        format!(
            "# A secret that is not set is left out: what is live stays.
          jq --null-input '{{{}}} | with_entries(select((.value // \"\") != \"\"))' |
            ",
            members.join(", ")
        )
    }

    fn flags(&self) -> String {
        let from = if self.variables.is_empty() { "" } else { " -E -" };
        let profile = if self.has_profile { " --profile ''" } else { "" };
        format!("{profile}{from}")
    }

    fn region(&self) -> String {
        match &self.region {
            Some(region) => format!("${{{{ vars.AWS_REGION || '{region}' }}}}"),
            None => "${{ vars.AWS_REGION }}".to_owned(),
        }
    }
}

/// The secret that holds a variable: GitHub has none whose name begins with its own.
fn secret(variable: &str) -> String {
    let name = variable.to_ascii_uppercase();
    if name.starts_with("GITHUB_") { format!("VALUE_OF_{name}") } else { name }
}

/// A text in quotes, as YAML and JSON have them.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where a folder is in what git checks out.
struct Checkout {
    /// The way from the folder up to where git's is.
    up: PathBuf,
    /// The way from there down to the folder.
    below: PathBuf,
    /// The branch that others start from.
    branch: String,
}

impl Checkout {
    /// A folder that is not under git is taken for all of a checkout to be.
    fn around(folder: &Path) -> Self {
        let top = folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder);
        let below = folder.strip_prefix(top).unwrap_or(Path::new("")).to_owned();
        let head = std::fs::read_to_string(top.join(".git/refs/remotes/origin/HEAD")).unwrap_or_default();
        let branch = head.trim().strip_prefix("ref: refs/remotes/origin/").filter(|branch| is_plain(branch));
        Self { up: below.iter().map(|_| "..").collect(), branch: branch.unwrap_or("main").to_owned(), below }
    }
}

/// Whether a branch needs no quotes anywhere.
fn is_plain(branch: &str) -> bool {
    !branch.is_empty() && branch.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
}
