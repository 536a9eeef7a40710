//! Hashes and counts what passes through.

use std::io::{self, Read, Write};

use mdo_model::Sha256;
use sha2::Digest as _;

/// A writer or a reader with the digest of all that has passed.
pub(super) struct Hashed<T> {
    inner: T,
    hash: sha2::Sha256,
    size: u64,
}

impl<T> Hashed<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, hash: sha2::Sha256::new(), size: 0 }
    }

    /// What it was made of, the digest, and how many bytes have passed.
    pub(super) fn finish(self) -> (T, Sha256, u64) {
        let digest: [u8; 32] = self.hash.finalize().into();
        (self.inner, digest.into(), self.size)
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.pass(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.pass(&buffer[..read]);
        Ok(read)
    }
}
