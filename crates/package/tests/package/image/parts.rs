//! The parts of an image, built as a sentence, and the image that they make.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_package::OwnFolder;
use mdo_package::image::{
    Base, DerivativePart, FunctionPart, Image, ImageError, ImageStore, Layer, Parts, image,
};
use tempfile::TempDir;

use crate::elf::{Elf, X86_64};
use crate::function::Function;

/// A folder with a server program, packages, and a project's folder `.mdo`.
pub(crate) struct Making {
    pub home: TempDir,
    pub architecture: Architecture,
    pub functions: Vec<FunctionPart>,
    pub derivatives: Vec<DerivativePart>,
    pub stack: String,
    pub base: Option<PathBuf>,
    pub labels: BTreeMap<String, String>,
}

impl Making {
    /// With the server alone.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("mdo-server"), Elf::program(X86_64).bytes()).unwrap();
        Self {
            home,
            architecture: Architecture::X86_64,
            functions: Vec::new(),
            derivatives: Vec::new(),
            stack: r#"{"project":"shop"}"#.to_owned(),
            base: None,
            labels: BTreeMap::new(),
        }
    }

    pub(crate) fn server(self, program: &[u8]) -> Self {
        fs::write(self.program(), program).unwrap();
        self
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.home.path().join("mdo-server")
    }

    pub(crate) fn function(mut self, name: &str, function: &Function) -> Self {
        let package = function.package().unwrap();
        let zip = self.home.path().join(format!("{name}.zip"));
        fs::copy(&package.path, &zip).unwrap();
        let name = name.parse().unwrap();
        self.functions.retain(|part| part.name != name);
        self.functions.push(FunctionPart { name, zip, sha256: package.sha256, interpreter: None });
        self
    }

    /// The last function runs in this program.
    pub(crate) fn run_by(mut self, interpreter: &str) -> Self {
        self.functions.last_mut().unwrap().interpreter = Some(interpreter.to_owned());
        self
    }

    pub(crate) fn derivative(mut self, name: &str, files: &[(&str, &str)]) -> Self {
        let tree = self.home.path().join(format!("trees/{name}"));
        for (file, text) in files {
            let path = tree.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let inputs = Sha256::of(format!("{files:?}").as_bytes());
        self.derivatives.push(DerivativePart { name: name.to_owned(), inputs, tree });
        self
    }

    pub(crate) fn stack(mut self, text: &str) -> Self {
        self.stack = text.to_owned();
        self
    }

    pub(crate) fn upon(mut self, base: PathBuf) -> Self {
        self.base = Some(base);
        self
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn store(&self) -> ImageStore {
        ImageStore::of(&OwnFolder::of(self.home.path()))
    }

    pub(crate) fn image(&self) -> Result<Image, ImageError> {
        self.image_in(&self.store())
    }

    pub(crate) fn image_in(&self, store: &ImageStore) -> Result<Image, ImageError> {
        let base = self.base.as_ref().map(|path| Base::read(path, self.architecture, store)).transpose()?;
        let parts = Parts {
            architecture: self.architecture,
            server: &self.program(),
            functions: &self.functions,
            derivatives: &self.derivatives,
            stack: self.stack.as_bytes(),
            base: base.as_ref(),
            labels: &self.labels,
            abandoned: &AtomicBool::new(false),
        };
        image(&parts, store)
    }

    #[track_caller]
    pub(crate) fn is_refused(&self, why: &str, help: &str) {
        let error = self.image().unwrap_err();
        assert_eq!((error.to_string().as_str(), error.help().as_deref()), (why, Some(help)));
    }

    /// The names of what lies in the store.
    pub(crate) fn stored(&self) -> Vec<String> {
        names(&self.home.path().join(".mdo/images/blobs"))
    }
}

/// The sorted names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The layer that brings this.
pub(crate) fn layer<'a>(image: &'a Image, what: &str) -> &'a Layer {
    image.layers.iter().find(|layer| layer.what.to_string() == what).unwrap()
}

/// A reference project with everything in it.
pub(crate) fn shop() -> Making {
    let table: String = (0..5000).map(|row| format!("{row},{}\n", row * row % 97)).collect();
    let sampler = Function::ready().file("data/table.csv", table).executable("lib/tool", "#!/bin/sh\n");
    Making::new()
        .function("sampler", &sampler)
        .function("echo", &Function::ready())
        .derivative("sklearn-python3_13", &[("numpy/__init__.py", "x = 1\n"), ("six.py", "")])
        .label("org.opencontainers.image.title", "shop")
}
