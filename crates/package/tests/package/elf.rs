//! Executables made by hand, with the very headers that the preflight reads.

pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;
pub(crate) const GLIBC_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A minimal 64-bit ELF file, made by hand: headers, an interpreter, and the dynamic section's strings and versions.
pub(crate) struct Elf {
    machine: u16,
    loader: Option<&'static str>,
    libraries: Vec<&'static str>,
    run_path: Option<&'static str>,
    versions: Vec<(&'static str, &'static str)>,
}

impl Elf {
    pub(crate) fn program(machine: u16) -> Self {
        Self { machine, loader: None, libraries: Vec::new(), run_path: None, versions: Vec::new() }
    }

    pub(crate) fn loaded_by(mut self, loader: &'static str) -> Self {
        self.loader = Some(loader);
        self
    }

    pub(crate) fn needing(mut self, library: &'static str) -> Self {
        self.libraries.push(library);
        self
    }

    pub(crate) fn looking_in(mut self, run_path: &'static str) -> Self {
        self.run_path = Some(run_path);
        self
    }

    pub(crate) fn version(mut self, library: &'static str, version: &'static str) -> Self {
        self.versions.push((library, version));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut string = |text: &str| {
            let at = strings.len() as u64;
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            at
        };
        let mut dynamic: Vec<u64> = Vec::new();
        for library in &self.libraries {
            dynamic.extend([1, string(library)]);
        }
        if let Some(run_path) = self.run_path {
            dynamic.extend([29, string(run_path)]);
        }
        dynamic.extend([0, 0]);
        let mut needs = Vec::new();
        for (at, (library, version)) in self.versions.iter().enumerate() {
            let next = if at + 1 == self.versions.len() { 0 } else { 32u32 };
            needs.extend([1u16, 1].map(u16::to_le_bytes).concat());
            needs.extend([string(library) as u32, 16, next].map(u32::to_le_bytes).concat());
            needs.extend(0u32.to_le_bytes());
            needs.extend([0u16, 2].map(u16::to_le_bytes).concat());
            needs.extend([string(version) as u32, 0].map(u32::to_le_bytes).concat());
        }
        let loader = self.loader.map(|loader| [loader.as_bytes(), &[0]].concat());
        let dynamic: Vec<u8> = dynamic.iter().flat_map(|word| word.to_le_bytes()).collect();
        Self::assemble(self.machine, &loader.unwrap_or_default(), &strings, &dynamic, &needs)
    }

    pub(crate) fn assemble(
        machine: u16,
        loader: &[u8],
        strings: &[u8],
        dynamic: &[u8],
        needs: &[u8],
    ) -> Vec<u8> {
        let mut body = Vec::new();
        let mut place = |part: &[u8]| {
            body.resize(body.len().next_multiple_of(8), 0);
            let at = 64 + 56 + body.len() as u64;
            body.extend_from_slice(part);
            (at, part.len() as u64)
        };
        let loader = place(loader);
        let strings = place(strings);
        let dynamic = place(dynamic);
        let needs = place(needs);
        body.resize(body.len().next_multiple_of(8), 0);
        let sections_at = 64 + 56 + body.len() as u64;

        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend([3, machine].map(u16::to_le_bytes).concat());
        file.extend(1u32.to_le_bytes());
        file.extend([0, 64, sections_at].map(u64::to_le_bytes).concat());
        file.extend(0u32.to_le_bytes());
        file.extend([64u16, 56, 1, 64, 4, 1].map(u16::to_le_bytes).concat());
        let segment: u32 = if loader.1 > 0 { 3 } else { 0 };
        file.extend([segment, 4].map(u32::to_le_bytes).concat());
        file.extend([loader.0, 0, 0, loader.1, loader.1, 1].map(u64::to_le_bytes).concat());
        file.extend(body);
        for (kind, (at, size), link) in
            [(0u32, (0, 0), 0u32), (3, strings, 0), (6, dynamic, 1), (0x6fff_fffe, needs, 1)]
        {
            file.extend([0, kind].map(u32::to_le_bytes).concat());
            file.extend([0, 0, at, size].map(u64::to_le_bytes).concat());
            file.extend([link, 0].map(u32::to_le_bytes).concat());
            file.extend([8u64, 0].map(u64::to_le_bytes).concat());
        }
        file
    }
}
