//! What a build makes of a lock, and what it refuses.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::Ordering;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_package::derivative::{self, Event, Imported, Packing, Tools};

use super::project::{Project, another};
use super::uv::python;
use super::wheel::Wheel;
use crate::elf::{AARCH64, Elf, X86_64};

/// The names of the entries of a zip.
fn entries(zip: &Path) -> Vec<String> {
    let archive = zip::ZipArchive::new(File::open(zip).unwrap()).unwrap();
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}

#[test]
fn ships_what_is_imported_and_nothing_of_the_host() {
    let project = Project::colours();
    let built = project.build().unwrap();
    let tag = format!("cpython-3{}", project.recipe.runtime.minor());
    let expected = [
        format!("python/__pycache__/shades.{tag}.pyc"),
        "python/colours/__init__.py".into(),
        "python/colours/__init__.pyi".into(),
        format!("python/colours/__pycache__/__init__.{tag}.pyc"),
        "python/colours/tests/test_all.py".into(),
        "python/colours-1.0.dist-info/METADATA".into(),
        "python/colours-1.0.dist-info/RECORD".into(),
        "python/colours-1.0.dist-info/WHEEL".into(),
        "python/colours-1.0.dist-info/entry_points.txt".into(),
        "python/shades-0.3.dist-info/METADATA".into(),
        "python/shades-0.3.dist-info/RECORD".into(),
        "python/shades-0.3.dist-info/WHEEL".into(),
        "python/shades.py".into(),
    ];
    let mut expected: Vec<String> = expected.into();
    expected.sort();
    assert_eq!(entries(&built.parts[0].path), expected);
    let record = fs::read_to_string(built.tree.join("colours-1.0.dist-info/RECORD")).unwrap();
    let recorded: Vec<_> = record.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(
        recorded,
        [
            "colours-1.0.dist-info/METADATA",
            "colours-1.0.dist-info/RECORD",
            "colours-1.0.dist-info/WHEEL",
            "colours-1.0.dist-info/entry_points.txt",
            "colours/__init__.py",
            "colours/__init__.pyi",
            "colours/tests/test_all.py",
        ]
    );
    let distributions: Vec<_> =
        built.distributions.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
    assert_eq!(distributions, ["colours 1.0", "shades 0.3"]);
    assert_eq!(built.distributions.iter().map(|one| one.raw_size).sum::<u64>(), built.raw_size);
    assert_eq!(built.modules, ["colours", "shades"]);
    assert_eq!(built.warnings, Vec::<String>::new());
    assert_eq!(Sha256::of(&fs::read(&built.parts[0].path).unwrap()), built.parts[0].sha256);
}

#[test]
fn makes_the_same_zip_in_another_folder() {
    let one = Project::colours();
    let mut other = Project::colours();
    // The wheels are zips of this test, with the same bytes; the lock is the same as well.
    other.recipe.lock.clone_from(&one.recipe.lock);
    let (one, other) = (one.build().unwrap(), other.build().unwrap());
    assert_eq!(one.inputs, other.inputs);
    assert_eq!(one.parts[0].sha256, other.parts[0].sha256);
    assert_ne!(one.parts[0].path, other.parts[0].path);
}

#[test]
fn compiles_as_if_it_lay_where_lambda_unpacks_it() {
    let project = Project::colours();
    let built = project.build().unwrap();
    let tag = format!("cpython-3{}", project.recipe.runtime.minor());
    let bytecode = fs::read(built.tree.join(format!("__pycache__/shades.{tag}.pyc"))).unwrap();
    assert_eq!(bytecode[4..8], [1, 0, 0, 0], "by an unchecked hash");
    let has = |text: &str| bytecode.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("/opt/python/shades.py"));
    assert!(!has(project.home.path().to_str().unwrap()));
}

#[test]
fn leaves_bytecode_and_files_out_where_asked_to() {
    let mut project = Project::colours();
    project.recipe.bytecode = false;
    project.recipe.exclude = vec!["**/tests/**".into(), "*.pyi".into(), "*.dist-info/".into()];
    let tools = Tools { runtime_python: None, ..project.tools() };
    let built =
        derivative::build(&project.recipe, &project.cache(), Packing::OneZip, &tools, &mut |_| {}).unwrap();
    assert_eq!(entries(&built.parts[0].path), ["python/colours/__init__.py", "python/shades.py"]);
}

#[test]
fn says_which_path_files_nobody_reads() {
    let project = Project::new()
        .wheel(Wheel::module("colours", "1.0").file("colours.pth", "import colours\n"))
        .wants("colours\n")
        .locked();
    assert_eq!(
        project.build().unwrap().warnings,
        [
            "colours.pth of colours is not read: Python reads .pth files among its own packages alone, not in a layer"
        ]
    );
}

#[test]
fn has_an_identity_of_all_its_inputs() {
    let recipe = Project::colours().recipe;
    let with = |change: &dyn Fn(&mut derivative::Recipe)| {
        let mut recipe = recipe.clone();
        change(&mut recipe);
        recipe.inputs()
    };
    let others = [
        with(&|recipe| recipe.lock.push('\n')),
        with(&|recipe| recipe.runtime = another(recipe.runtime)),
        with(&|recipe| recipe.architecture = Architecture::Arm64),
        with(&|recipe| recipe.exclude.push("x".into())),
        with(&|recipe| recipe.source.push("x".into())),
        with(&|recipe| recipe.bytecode = false),
    ];
    for (at, other) in others.iter().enumerate() {
        assert_ne!(*other, recipe.inputs(), "change {at}");
    }
    assert_eq!(with(&|recipe| recipe.name = "other".into()), recipe.inputs());
    assert_eq!(with(&|recipe| recipe.lock = recipe.lock.replace('\n', "\r\n")), recipe.inputs());
    let sources = |names: [&str; 2]| {
        let names = names.map(str::to_owned).to_vec();
        with(&move |recipe| recipe.source.clone_from(&names))
    };
    assert_eq!(sources(["Foo.Bar", "x"]), sources(["x", "foo-bar"]));
}

#[test]
fn builds_both_architectures_each_from_its_own_wheel() {
    let native = |machine, platform: &str| {
        Wheel::pure("fast", "1.0").on(platform).file("fast/core.abi3.so", Elf::program(machine).bytes())
    };
    // From a folder uv locks the file of one platform alone; from an index those of all, as here.
    let mut project = Project::new();
    let wheels = [native(X86_64, "manylinux_2_17_x86_64"), native(AARCH64, "manylinux_2_17_aarch64")];
    let hashes = wheels.map(|wheel| Sha256::of(&fs::read(wheel.write(&project.wheels())).unwrap()));
    project.recipe.lock =
        format!("fast==1.0 \\\n --hash=sha256:{} \\\n --hash=sha256:{}\n", hashes[0], hashes[1]);
    for (architecture, machine) in [(Architecture::X86_64, X86_64), (Architecture::Arm64, AARCH64)] {
        project.recipe.architecture = architecture;
        let built = project.build().unwrap();
        assert_eq!(fs::read(built.tree.join("fast/core.abi3.so")).unwrap(), Elf::program(machine).bytes());
    }
    assert_eq!(fs::read_dir(project.cache()).unwrap().count(), 2);
}

#[test]
fn needs_no_tools_for_what_is_built_already() {
    let project = Project::colours();
    assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::Tree), None);
    let tree = project.pack(Packing::Tree).unwrap();
    assert_eq!(tree.parts, []);
    assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::OneZip), None);
    let built = project.build().unwrap();
    let nothing = Path::new("/nothing/here");
    let tools = Tools { uv: nothing, python: nothing, runtime_python: None, abandoned: &project.abandoned };
    let again = derivative::build(&project.recipe, &project.cache(), Packing::Layers, &tools, &mut |_| {});
    assert_eq!(again.unwrap(), built);
    assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::OneZip).unwrap(), built);
    assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::Tree).unwrap(), tree);
}

#[test]
fn builds_again_what_somebody_has_damaged() {
    let project = Project::colours();
    let built = project.build().unwrap();
    fs::write(&built.parts[0].path, "half").unwrap();
    assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::OneZip), None);
    assert_eq!(project.build().unwrap(), built);
    assert_eq!(Sha256::of(&fs::read(&built.parts[0].path).unwrap()), built.parts[0].sha256);
    fs::remove_file(built.tree.join("shades.py")).unwrap();
    assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::Tree), None);
    assert_eq!(project.build().unwrap(), built);
    assert!(built.tree.join("shades.py").exists());
    assert_eq!(fs::read_dir(project.cache()).unwrap().count(), 1);
}

#[test]
fn survives_two_builds_at_once() {
    let project = Project::colours();
    let builts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| project.build().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(builts.iter().all(|built| *built == builts[0]));
    assert_eq!(fs::read_dir(project.cache()).unwrap().count(), 1);
    assert_eq!(project.build().unwrap(), builts[0]);
}

#[test]
fn removes_what_a_crash_has_left_and_nothing_that_is_being_built() {
    let project = Project::colours();
    let dead = project.cache().join(".build-dead");
    fs::create_dir_all(dead.join("out")).unwrap();
    File::create(dead.join("alive")).unwrap();
    let living = project.cache().join(".build-living");
    fs::create_dir_all(living.join("out")).unwrap();
    let alive = File::create(living.join("alive")).unwrap();
    alive.lock().unwrap();
    project.build().unwrap();
    assert!(!dead.exists());
    assert!(living.exists());
}

#[test]
fn ends_uv_when_nobody_waits_any_more() {
    let project = Project::colours();
    // It says that it has begun, and would then run for ever.
    let uv = project.program("uv", "echo begun\nexec tail -f /dev/null\n");
    let tools = Tools { uv: &uv, ..project.tools() };
    let error = derivative::build(&project.recipe, &project.cache(), Packing::OneZip, &tools, &mut |event| {
        if event == Event::Said("begun") {
            project.abandoned.store(true, Ordering::Relaxed);
        }
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "derivative sklearn: interrupted");
    assert_eq!(fs::read_dir(project.cache()).unwrap().count(), 0);
}

#[test]
fn keeps_no_half_of_a_zip_when_nobody_waits_any_more() {
    let project = Project::colours();
    let tools = project.tools();
    let error = derivative::build(&project.recipe, &project.cache(), Packing::OneZip, &tools, &mut |event| {
        if event == Event::Zipping {
            project.abandoned.store(true, Ordering::Relaxed);
        }
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "derivative sklearn: interrupted");
    assert_eq!(derivative::cached(&project.recipe, &project.cache(), Packing::OneZip), None);
    assert!(derivative::cached(&project.recipe, &project.cache(), Packing::Tree).is_some());
    assert_eq!(fs::read_dir(project.cache()).unwrap().count(), 1);
}

#[test]
fn tells_how_far_it_is() {
    let project = Project::colours();
    let mut told = Vec::new();
    derivative::build(&project.recipe, &project.cache(), Packing::OneZip, &project.tools(), &mut |event| {
        if !matches!(event, Event::Said(_)) {
            told.push(format!("{event:?}"));
        }
    })
    .unwrap();
    assert_eq!(told, ["Installing { packages: 2 }", "Compiling", "Checking", "Zipping"]);
}

#[test]
fn imports_the_modules_once_where_this_machine_can() {
    let mut project = Project::new()
        .wheel(Wheel::module("colours", "1.0"))
        .wheel(Wheel::pure("broken", "1.0").file("broken.py", "print('hello')\nimport nowhere\n"))
        .wheel(Wheel::pure("rude", "1.0").file("rude.py", "import os\nos._exit(3)\n"))
        .wants("broken\ncolours\nrude\n")
        .locked();
    let here = Architecture::of_this_machine().unwrap();
    project.recipe.architecture = here;
    let built = project.build().unwrap();
    let import = |architecture, tools: &Tools| {
        derivative::import("sklearn", &built, project.recipe.runtime, architecture, tools, &mut |_| {})
            .unwrap()
    };
    let expected = Imported::Tried {
        modules: vec!["colours".into()],
        failed: vec![
            "broken: ModuleNotFoundError: No module named 'nowhere'".into(),
            "rude: Python ended with exit status 3".into(),
        ],
    };
    assert_eq!(import(here, &project.tools()), expected);
    let other = Architecture::ALL.into_iter().find(|other| *other != here).unwrap();
    assert_eq!(import(other, &project.tools()), Imported::NotHere);
    assert_eq!(import(here, &Tools { runtime_python: None, ..project.tools() }), Imported::NotHere);
}

#[test]
fn installs_the_same_lock_for_this_machine_where_lambdas_build_does_not_run() {
    let mut project = Project::colours();
    let here = Architecture::of_this_machine().unwrap();
    project.recipe.architecture = here;
    let make = |project: &Project| {
        derivative::build_for_host(&project.recipe, &project.cache(), &project.tools(), &mut |_| {}).unwrap()
    };
    let own = make(&project);
    assert_eq!(own.inputs == project.recipe.inputs(), cfg!(target_os = "linux"));
    project.recipe.architecture = Architecture::ALL.into_iter().find(|other| *other != here).unwrap();
    assert_eq!(derivative::cached_for_host(&project.recipe, &project.cache()), None);
    let host = make(&project);
    assert_ne!(host.inputs, project.recipe.inputs());
    assert_eq!(host.modules, ["colours", "shades"]);
    assert_eq!(derivative::cached_for_host(&project.recipe, &project.cache()).unwrap(), host);
    project.recipe.bytecode = false;
    let tools = Tools { runtime_python: None, ..project.tools() };
    let error =
        derivative::build_for_host(&project.recipe, &project.cache(), &tools, &mut |_| {}).unwrap_err();
    let version = python().runtime.version();
    assert_eq!(
        error.to_string(),
        format!("derivative sklearn: running it here needs Python {version}, and this machine has none")
    );
    assert_eq!(error.help().unwrap(), format!("uv python install {version}"));
}
