//! Which files the layers of a base have together, and what its users and groups are.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::tar_read::{self, Kind, Streaming};

/// How many links a path may lead through, as in Linux.
const MOST_LINKS: usize = 40;

/// The most bytes of a list of users.
const MOST_TEXT: u64 = 1024 * 1024;

/// What a layer says to take something of those below it away.
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// The files that are looked into.
pub(super) const PASSWD: &str = "etc/passwd";
pub(super) const GROUP: &str = "etc/group";

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Node {
    File,
    Folder,
    Link(String),
}

/// The names in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileTree {
    nodes: BTreeMap<String, Node>,
    texts: BTreeMap<String, String>,
}

impl FileTree {
    /// Lays the tar of a layer over what is there.
    pub(super) fn lay(&mut self, layer: impl Read) -> io::Result<()> {
        tar_read::entries(&mut Streaming(layer), |entry, content| {
            let (folder, last) = entry.name.rsplit_once('/').unwrap_or(("", &entry.name));
            if last == OPAQUE {
                self.empty(folder);
            } else if let Some(gone) = last.strip_prefix(WHITEOUT) {
                let gone = if folder.is_empty() { gone.to_owned() } else { format!("{folder}/{gone}") };
                self.empty(&gone);
                self.nodes.remove(&gone);
                self.texts.remove(&gone);
            } else {
                let node = match &entry.kind {
                    Kind::File | Kind::Other => Node::File,
                    Kind::Folder => Node::Folder,
                    Kind::Link(to) => Node::Link(to.clone()),
                };
                if node != Node::Folder {
                    self.empty(&entry.name);
                }
                if [PASSWD, GROUP].contains(&entry.name.as_str()) {
                    let mut text = String::new();
                    content.take(MOST_TEXT).read_to_string(&mut text)?;
                    self.texts.insert(entry.name.clone(), text);
                }
                self.nodes.insert(entry.name.clone(), node);
            }
            Ok(())
        })
    }

    /// The text of one of the files that are looked into; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// Whether the path leads to a file, through links as well.
    pub(super) fn has_file(&self, path: &str) -> bool {
        let mut links = 0;
        let mut left: Vec<String> = parts(path);
        let mut at = String::new();
        while let Some(part) = left.pop() {
            if part == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let name = if at.is_empty() { part } else { format!("{at}/{part}") };
            match self.nodes.get(&name) {
                Some(Node::Link(to)) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return false;
                    }
                    if to.starts_with('/') {
                        at.clear();
                    }
                    left.extend(parts(to));
                }
                Some(Node::File) => return left.is_empty(),
                // A layer need not name the folders that it has files in.
                Some(Node::Folder) | None => at = name,
            }
        }
        false
    }

    /// Removes what is below a folder; an empty name is the root.
    fn empty(&mut self, folder: &str) {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = |name: &String| name.starts_with(&prefix);
        let gone: Vec<_> =
            self.nodes.range(prefix.clone()..).map(|(name, _)| name.clone()).take_while(below).collect();
        for name in gone {
            self.nodes.remove(&name);
            self.texts.remove(&name);
        }
    }
}

/// The parts of a path, the last one first.
fn parts(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
}
