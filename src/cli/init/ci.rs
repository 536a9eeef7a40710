//! The workflow of `mdo init --ci`: what of it a project decides, and where git wants it. It asks nobody but the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use mdo_model::project::{Overrides, Problems, Project, ProjectName, StageName};

use super::{NewFile, text};

/// The branch that most repositories deploy.
const MAIN: &str = "main";

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
    /// The variables of functions that must come from outside, with the stages at which they must.
    pub variables: BTreeMap<String, BTreeSet<StageName>>,
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
            variables: BTreeMap::new(),
            region: None,
            has_profile: false,
            has_derivatives: false,
        };
        for stage in &pipeline.stages {
            let settings = project.resolve(stage, &Overrides::default())?;
            for variable in project.unset_variables(&settings) {
                pipeline.variables.entry(variable).or_default().insert(stage.clone());
            }
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
            ("@REPOSITORY@", REPOSITORY),
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
            Some(region) => setting(
                "variable",
                "AWS_REGION",
                &format!("the region of stages whose files name none, instead of {region}"),
            ),
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
        for variable in self.variables.keys() {
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
            "with a stage's own settings, which plans do not see, and who is asked before a deploy",
        ));
        settings
    }

    /// How mdo comes onto the runner, and uv where something needs it.
    fn install(&self) -> String {
        let uv = if self.has_derivatives { "          pipx install uv\n" } else { "" };
        format!(
            "        env:
          WHEEL: ${{{{ vars.MDO_WHEEL || env.MDO_WHEEL }}}}
          REPOSITORY: ${{{{ vars.MDO_REPOSITORY || env.MDO_REPOSITORY }}}}
        run: |
          if [ -n \"$WHEEL\" ]; then
            pipx install \"$WHEEL\"
          elif [ -n \"$REPOSITORY\" ]; then
            cargo install --locked --git \"$REPOSITORY\" mdo
          else
            echo \"::error title=no mdo::set MDO_WHEEL or MDO_REPOSITORY at the top of this workflow, or as a variable of this repository\"
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
            also.map(str::to_owned).into_iter().chain(self.variables.keys().map(secret)).collect();
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
        let member = |(variable, stages): (&String, &BTreeSet<StageName>)| {
            // What the files of a stage set is theirs to set.
            if stages.len() == self.stages.len() {
                return format!("{variable:?}: env.SECRET_{variable}");
            }
            let stages: Vec<String> = stages.iter().map(|stage| quoted(stage.as_str())).collect();
            let stages = stages.join(", ");
            format!("{variable:?}: (if env.STAGE | IN({stages}) then env.SECRET_{variable} else null end)")
        };
        let members: Vec<String> = self.variables.iter().map(member).collect();
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
        let of_origin = head.trim().strip_prefix("ref: refs/remotes/origin/");
        // In a repository of this machine alone, the branch that is checked out, unless there is the usual one.
        let own = std::fs::read_to_string(top.join(".git/HEAD")).unwrap_or_default();
        let has_main = top.join(".git/refs/heads").join(MAIN).exists();
        let own = own.trim().strip_prefix("ref: refs/heads/").filter(|_| !has_main);
        let branch = of_origin.or(own).filter(|branch| is_plain(branch)).unwrap_or(MAIN).to_owned();
        Self { up: below.iter().map(|_| "..").collect(), branch, below }
    }
}

/// Whether a branch needs no quotes anywhere.
fn is_plain(branch: &str) -> bool {
    !branch.is_empty() && branch.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
}
