//! Makes a function's code read-only to the function, as it is on Lambda: what writes beside itself fails here too, and cannot
//! change the package that every stage runs.
//!
//! On Linux the process gets mounts of its own, in which the folder is mounted read-only. Where the system grants that to
//! nobody but root, or not at all, the folder stays as it is.

#[cfg(target_os = "linux")]
mod mounts {
    use std::ffi::CString;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
    use rustix::mount::{MountFlags, MountPropagationFlags, mount_bind, mount_change, mount_remount};
    use rustix::thread::UnshareFlags;

    /// What a child needs to confine itself, made before it is forked: it may not allocate any more.
    pub(crate) struct Confinement {
        code: CString,
        /// The maps that leave the user and the group who they are, where it takes a user namespace to have mounts of one's
        /// own.
        identity: Option<[Vec<u8>; 2]>,
    }

    impl Confinement {
        pub(crate) fn new(code: &Path) -> io::Result<Self> {
            let code = CString::new(code.as_os_str().as_bytes())?;
            let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
            let map = |id: u32| format!("{id} {id} 1").into_bytes();
            let identity = (!user.is_root()).then(|| [map(user.as_raw()), map(group.as_raw())]);
            Ok(Self { code, identity })
        }

        /// Confines the calling process, which has one thread, where the system lets it; makes system calls and nothing else.
        pub(crate) fn enter(&self) {
            let _ = self.unshare().and_then(|()| self.mount());
        }

        fn unshare(&self) -> rustix::io::Result<()> {
            let user = if self.identity.is_some() { UnshareFlags::NEWUSER } else { UnshareFlags::empty() };
            #[expect(unsafe_code, reason = "no file descriptors are unshared, which is what could go wrong")]
            // SAFETY: only the mount and user namespaces change.
            unsafe {
                rustix::thread::unshare_unsafe(UnshareFlags::NEWNS | user)?;
            }
            let Some([user, group]) = &self.identity else { return Ok(()) };
            write(c"/proc/self/setgroups", b"deny")?;
            write(c"/proc/self/uid_map", user)?;
            write(c"/proc/self/gid_map", group)
        }

        fn mount(&self) -> rustix::io::Result<()> {
            let code = self.code.as_c_str();
            // Otherwise everybody would see it.
            mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
            // What the file system below is locked to may not be left out.
            let below = rustix::fs::statvfs(code)?.f_flag;
            mount_bind(code, code)?;
            let mut flags = MountFlags::BIND | MountFlags::RDONLY;
            for (locked, flag) in [
                (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
                (StatVfsMountFlags::NODEV, MountFlags::NODEV),
                (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
                (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
                (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
                (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
            ] {
                if below.contains(locked) {
                    flags |= flag;
                }
            }
            mount_remount(code, flags, c"")?;
            // The working folder is still the one below the mount.
            rustix::process::chdir(code)
        }
    }

    fn write(file: &std::ffi::CStr, text: &[u8]) -> rustix::io::Result<()> {
        let file = rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(file, text).map(drop)
    }
}

#[cfg(not(target_os = "linux"))]
mod mounts {
    use std::io;
    use std::path::Path;

    /// Nothing that a child needs.
    pub(crate) struct Confinement;

    impl Confinement {
        pub(crate) fn new(_: &Path) -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn enter(&self) {}
    }
}

pub(super) use mounts::Confinement;
