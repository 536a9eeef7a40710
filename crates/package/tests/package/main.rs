//! Packaging, told through its public functions: a folder in, a zip or a list of problems out.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage fails")]

mod a_folder_is_refused;
mod a_handler;
mod a_package_holds;
mod as_git;
mod bootstrap;
mod derivative;
mod elf;
mod function;
mod hooks;
mod image;
mod memory;
mod own_folder;
mod unpacking;
mod zip_bytes;
