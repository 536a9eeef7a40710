//! What each layer of ours holds, where it lies, and what it is known by.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mdo_model::Sha256;
use mdo_model::hosted::{CODE_FOLDER, ENTRYPOINT, STACK_FILE, TEMPORARY_FOLDER};
use mdo_model::project::{Architecture, FunctionName};

use super::file_tree::{GROUP, PASSWD};
use super::layer::{self, Content, Entries};
use super::store::{Open, Stored};
use super::{Base, DerivativePart, FunctionPart, ImageError, Parts, What, needs};
use crate::derivative::{digest, tree};
use crate::unpack;

/// The folder of the derivatives.
const DERIVATIVES: &str = "/opt/derivatives";

/// A folder that everybody may write to, and remove only his own from.
const STICKY: u32 = 0o1777;

/// The user mdo, and root, whom programs expect to find.
const USERS: [(&str, &str); 2] =
    [("root", "root:x:0:0:root:/root:/sbin/nologin"), ("mdo", "mdo:x:65532:65532:mdo:/srv:/sbin/nologin")];
const GROUPS: [(&str, &str); 2] = [("root", "root:x:0:"), ("mdo", "mdo:x:65532:")];

/// Where a function's code lies in an image.
pub fn function_folder(name: &FunctionName) -> String {
    format!("{CODE_FOLDER}/{name}")
}

/// Where a derivative's packages lie in an image.
pub fn derivative_folder(name: &str) -> String {
    format!("{DERIVATIVES}/{name}")
}

/// A path as a layer names it: without `/` at its start.
fn inside(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// A layer that is to be made.
pub(super) struct Job<'a> {
    pub what: What,
    /// The file or folder that it is for, without `/` at its start.
    pub place: String,
    key: Sha256,
    from: From<'a>,
}

enum From<'a> {
    Server { program: &'a Path, users: String, groups: String },
    Derivative(&'a DerivativePart),
    Function(&'a FunctionPart),
    Stack(&'a [u8]),
}

impl Job<'_> {
    /// The program that has to be on the base's `PATH`.
    pub(super) fn interpreter(&self) -> Option<&str> {
        match &self.from {
            From::Function(function) => function.interpreter.as_deref(),
            _ => None,
        }
    }
}

/// The layers of an image, the lowest first.
pub(super) fn jobs<'a>(parts: &Parts<'a>) -> Result<Vec<Job<'a>>, ImageError> {
    let mut jobs = vec![server(parts.server, parts.architecture, parts.base)?];
    let mut derivatives: Vec<_> = parts.derivatives.iter().collect();
    derivatives.sort_by(|a, b| a.name.cmp(&b.name));
    for part in derivatives {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if part.name.is_empty() || part.name.starts_with('.') || !part.name.bytes().all(allowed) {
            return Err(ImageError::DerivativeName { name: part.name.clone() });
        }
        jobs.push(Job {
            what: What::Derivative(part.name.clone()),
            place: inside(&derivative_folder(&part.name)),
            key: layer::key(&["derivative", &part.name, &part.inputs.to_string()]),
            from: From::Derivative(part),
        });
    }
    let mut functions: Vec<_> = parts.functions.iter().collect();
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    jobs.extend(functions.into_iter().map(|part| Job {
        what: What::Function(part.name.clone()),
        place: inside(&function_folder(&part.name)),
        key: layer::key(&[
            "function",
            parts.architecture.as_str(),
            part.name.as_str(),
            &part.sha256.to_string(),
        ]),
        from: From::Function(part),
    }));
    jobs.push(Job {
        what: What::Stack,
        place: inside(STACK_FILE),
        key: layer::key(&["stack", &Sha256::of(parts.stack).to_string()]),
        from: From::Stack(parts.stack),
    });
    Ok(jobs)
}

fn server<'a>(
    program: &'a Path,
    architecture: Architecture,
    base: Option<&Base>,
) -> Result<Job<'a>, ImageError> {
    let sha256 = digest(program).map_err(|source| ImageError::Read { path: program.to_owned(), source })?;
    let text = |name| base.map_or("", |base| base.files.text(name));
    let users = with_lines(text(PASSWD), &USERS);
    let groups = with_lines(text(GROUP), &GROUPS);
    Ok(Job {
        what: What::Server,
        place: inside(ENTRYPOINT[0]),
        key: layer::key(&["server", architecture.as_str(), &sha256.to_string(), &users, &groups]),
        from: From::Server { program, users, groups },
    })
}

/// A list of users with those that it lacks.
fn with_lines(list: &str, wanted: &[(&str, &str)]) -> String {
    let mut list = list.to_owned();
    if !list.is_empty() && !list.ends_with('\n') {
        list.push('\n');
    }
    for (name, line) in wanted {
        if !list.lines().any(|known| known.split(':').next() == Some(name)) {
            list.push_str(line);
            list.push('\n');
        }
    }
    list
}

/// Makes the layers that are not in the store, as many at once as there are processors; whether each was there.
pub(super) fn make(jobs: &[Job], parts: &Parts, store: &Open) -> Result<Vec<(Stored, bool)>, ImageError> {
    let made: Vec<_> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = one(job, parts, store);
            // After a failure the rest is not begun.
            if result.is_err() {
                next.store(jobs.len(), Ordering::Relaxed);
            }
            if let Some(place) = jobs.iter().position(|other| std::ptr::eq(other, job)) {
                *made[place].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let made =
        made.into_iter().map(|made| made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    let (failed, made): (Vec<_>, Vec<_>) = made.flatten().partition(Result::is_err);
    match failed.into_iter().next() {
        Some(Err(error)) => Err(error),
        _ => made.into_iter().collect(),
    }
}

fn one(job: &Job, parts: &Parts, store: &Open) -> Result<(Stored, bool), ImageError> {
    if let Some(stored) = store.layer(job.key) {
        return Ok((stored, true));
    }
    let mut entries = Entries::default();
    let mut needs = None;
    // Goes when the layer is written.
    let _unpacked;
    match &job.from {
        From::Server { program, users, groups } => {
            needs = needs::of_server(program, parts.architecture)?;
            entries.file(&job.place, true, Content::File(program.to_path_buf()));
            entries.file(PASSWD, false, Content::Bytes(users.clone().into_bytes()));
            entries.file(GROUP, false, Content::Bytes(groups.clone().into_bytes()));
            entries.plain_folder(&inside(CODE_FOLDER));
            entries.folder(&inside(TEMPORARY_FOLDER), STICKY);
        }
        From::Derivative(part) => add_tree(&mut entries, &job.place, &part.tree)?,
        From::Function(part) => {
            let found = digest(&part.zip).map_err(unread(&part.zip))?;
            if found != part.sha256 {
                return Err(ImageError::OtherZip { zip: part.zip.clone(), found, declared: part.sha256 });
            }
            let workshop = store.workshop()?;
            let code = workshop.path().join("code");
            unpack(&part.zip, &code)?;
            needs = needs::of_function(&part.name, &code, parts.architecture)?;
            add_tree(&mut entries, &job.place, &code)?;
            _unpacked = workshop;
        }
        From::Stack(text) => entries.file(&job.place, false, Content::Bytes(text.to_vec())),
    }
    let stored = layer::write(&entries, needs, store, parts.abandoned)?;
    store.note_down(job.key, &stored)?;
    Ok((stored, false))
}

/// Adds the files of a folder; links are refused, as they would lead elsewhere in the image.
fn add_tree(entries: &mut Entries, place: &str, folder: &Path) -> Result<(), ImageError> {
    for (end, _) in place.match_indices('/') {
        entries.plain_folder(&place[..end]);
    }
    entries.plain_folder(place);
    for file in tree::list(folder).map_err(unread(folder))? {
        let path = folder.join(&file.name);
        if fs::symlink_metadata(&path).map_err(unread(&path))?.is_symlink() {
            let source = std::io::Error::other("a link, which an image does not take over");
            return Err(ImageError::Read { path, source });
        }
        entries.file(&format!("{place}/{}", file.name), file.executable, Content::File(path));
    }
    Ok(())
}

fn unread(path: &Path) -> impl Fn(std::io::Error) -> ImageError + '_ {
    move |source| ImageError::Read { path: path.to_owned(), source }
}
