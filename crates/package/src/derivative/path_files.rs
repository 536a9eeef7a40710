//! Path files of packages, `colours.pth` for instance: Python reads them in its own folder of packages alone, which a layer is not.

use super::distribution::Contents;
use super::problem::DerivativeProblem;
use super::tree::TreeFile;

/// Those in a tree, which nobody reads on Lambda.
pub(super) fn unread(files: &[TreeFile], contents: &Contents) -> Vec<DerivativeProblem> {
    let is_path_file = |file: &TreeFile| !file.name.contains('/') && file.name.ends_with(".pth");
    let owned = files.iter().zip(&contents.owners).filter(|(file, _)| is_path_file(file));
    owned
        .map(|(file, owner)| DerivativeProblem::UnreadPathFile {
            file: file.name.clone(),
            distribution: owner.map(|at| contents.distributions[at].name.clone()),
        })
        .collect()
}
