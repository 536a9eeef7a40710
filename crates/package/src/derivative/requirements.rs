//! Reads the packages and versions out of a lock in the format of pip's requirements.txt.

/// One package that a lock pins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pinned {
    /// The package's name as the lock writes it.
    pub name: String,
    /// The version, or the address that it comes from.
    pub version: String,
    /// Where it is installed, such as `sys_platform == 'win32'`; everywhere without.
    pub marker: Option<String>,
}

/// The name by which package names are compared: `Foo.Bar_baz` and `foo-bar-baz` are one package.
pub(super) fn normalized(name: &str) -> String {
    let parts: Vec<_> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}

/// The packages of a lock, in its order. Options, comments and hashes are passed over.
pub fn pinned(text: &str) -> Vec<Pinned> {
    logical_lines(text).iter().filter_map(|line| read(line)).collect()
}

/// The packages in the versions that they are pinned to, without hashes; what cannot be read as a version is left out.
pub(super) fn versions_alone(packages: &[Pinned]) -> String {
    let is_plain = |text: &str, more: &str| {
        text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    let sound = packages.iter().filter(|one| is_plain(&one.name, "-_.") && is_plain(&one.version, "-_.+!"));
    let line = |Pinned { name, version, marker }: &Pinned| match marker {
        Some(marker) => format!("{name}=={version} ; {marker}\n"),
        None => format!("{name}=={version}\n"),
    };
    sound.map(line).collect()
}

/// The first package that is pinned without a hash.
pub(super) fn without_hash(text: &str) -> Option<String> {
    let lines = logical_lines(text);
    let line = lines.iter().find(|line| !line.starts_with("--") && !line.contains("--hash="))?;
    let package = line.split(" ;").next().unwrap_or(line);
    Some(package.split("==").next().unwrap_or(package).trim().to_owned())
}

/// The lines without comments, each joined with those that continue it.
pub(super) fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = without_comment(line).trim_end();
        match line.strip_suffix('\\') {
            Some(begun) => {
                open.push_str(begun);
                open.push(' ');
            }
            None => {
                open.push_str(line);
                lines.push(std::mem::take(&mut open));
            }
        }
    }
    lines.push(open);
    lines.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// As in pip, a `#` begins a comment only at the start of a line or after a blank: an address may hold one.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        if letter == '#' && before.is_whitespace() {
            return &line[..at];
        }
        before = letter;
    }
    line
}

fn read(line: &str) -> Option<Pinned> {
    if line.starts_with('-') {
        return None;
    }
    let requirement = line.split(" --").next().unwrap_or(line);
    // The marker of an address needs a blank before it, for an address may hold a semicolon.
    let separator = if requirement.contains('@') { " ;" } else { ";" };
    let (requirement, marker) = match requirement.split_once(separator) {
        Some((requirement, marker)) => (requirement, Some(marker.trim().to_owned())),
        None => (requirement, None),
    };
    let (name, version) = requirement
        .split_once("===")
        .or_else(|| requirement.split_once("=="))
        .or_else(|| requirement.split_once('@'))?;
    let name = name.split('[').next().unwrap_or(name).trim();
    Some(Pinned { name: name.to_owned(), version: version.trim().to_owned(), marker })
}
