//! The real scikit-learn from PyPI, for the figures: `MDO_SCIKIT_LEARN=1 cargo test -p mdo-package --test package scikit_learn -- --nocapture`.

use std::io::Write;
use std::time::Instant;

use mdo_model::project::Architecture;
use mdo_model::quotas::UNZIPPED_LIMIT;
use mdo_package::Bytes;
use mdo_package::derivative::{self, Imported, Packing};

use super::project::Project;

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What it takes to lock, build, find again, split and import scikit-learn for both processors.
#[test]
fn is_locked_built_split_and_imported() {
    if std::env::var_os("MDO_SCIKIT_LEARN").is_none() {
        return;
    }
    let begun = Instant::now();
    let mut project = Project::on_the_network().wants("scikit-learn\n").locked();
    say(&format!("lock, first    {:?}", begun.elapsed()));
    let begun = Instant::now();
    project.lock().unwrap();
    say(&format!("lock, again    {:?}", begun.elapsed()));
    for architecture in Architecture::ALL {
        project.recipe.architecture = architecture;
        say(&format!("{architecture} on {}", project.recipe.runtime));
        let begun = Instant::now();
        let mut last = begun;
        let built = derivative::build(
            &project.recipe,
            &project.cache(),
            Packing::OneZip,
            &project.tools(),
            &mut |event| {
                if !matches!(event, derivative::Event::Said(_)) {
                    say(&format!("  after {:>12?} {event:?}", last.elapsed()));
                    last = Instant::now();
                }
            },
        )
        .unwrap();
        say(&format!("  after {:>12?} done", last.elapsed()));
        say(&format!("  build          {:?}", begun.elapsed()));
        let begun = Instant::now();
        assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::OneZip).unwrap(), built);
        say(&format!("  cached         {:?}", begun.elapsed()));
        say(&format!("  raw, zipped    {}, {}", Bytes(built.raw_size), Bytes(built.parts[0].size)));
        say(&format!("  sha256         {}", built.parts[0].sha256));
        for one in &built.distributions {
            say(&format!("    {} {} {}", one.name, one.version, Bytes(one.raw_size)));
        }
        let begun = Instant::now();
        let split = project.pack(Packing::Layers).unwrap();
        say(&format!("  split          {:?}", begun.elapsed()));
        for part in &split.parts {
            say(&format!("    {}", Bytes(part.size)));
        }
        let begun = Instant::now();
        let tools = project.tools();
        let imported =
            derivative::import("sklearn", &built, project.recipe.runtime, architecture, &tools, &mut |_| {});
        say(&format!("  import         {:?}: {imported:?}", begun.elapsed()));
        assert!(built.raw_size < UNZIPPED_LIMIT);
        assert_eq!(built.warnings, Vec::<String>::new());
        match imported.unwrap() {
            Imported::Tried { failed, .. } => assert_eq!(failed, Vec::<String>::new()),
            Imported::NotHere => assert!(!derivative::runs_here(architecture)),
        }
    }
}
