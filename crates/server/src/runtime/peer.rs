//! Who is at the other end of a connection to a sandbox's Runtime API: a process of the sandbox, or a stranger.
//!
//! Whoever gets an event has its payload, key values included, and may answer it. The API is at a port of 127.0.0.1, which any
//! process of the machine can reach. Its clients send no credential and take nothing but `host:port`, so a secret of the sandbox
//! is impossible. Linux tells which process holds a socket. Elsewhere nothing is known, and everybody is let in.

use std::net::SocketAddr;

/// Why a peer is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// It is a process of another user.
    User(u32),
    /// It is no process of the sandbox.
    Process,
    /// The system does not say who it is.
    Unknown(String),
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(uid) => write!(f, "its user has the id {uid}, which is not the sandbox's"),
            Self::Process => f.write_str("it is no process of this sandbox"),
            Self::Unknown(why) => write!(f, "its process is unknown: {why}"),
        }
    }
}

/// Checks that the peer of a connection from `peer` to `own` is the process `sandbox`, one that it has started, or one of its group.
#[cfg(target_os = "linux")]
pub(super) fn check(peer: SocketAddr, own: SocketAddr, sandbox: u32) -> Result<(), Stranger> {
    let socket = sockets::find(peer, own).map_err(|error| Stranger::Unknown(error.to_string()))?;
    if socket.uid != rustix::process::geteuid().as_raw() {
        return Err(Stranger::User(socket.uid));
    }
    // Nearly always the bootstrap itself; what its parent has left behind is still in its group.
    let holds = |pid: u32| sockets::holds(pid, &socket);
    let is_own = holds(sandbox)
        || super::descendants::descendants(sandbox).into_iter().any(holds)
        || super::descendants::group(sandbox).into_iter().any(holds);
    if is_own { Ok(()) } else { Err(Stranger::Process) }
}

/// Nobody is known.
#[cfg(not(target_os = "linux"))]
pub(super) fn check(_: SocketAddr, _: SocketAddr, _: u32) -> Result<(), Stranger> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod sockets {
    use std::fs;
    use std::io;
    use std::net::{IpAddr, SocketAddr};

    /// How often the table is read: a row may be missed while others come and go.
    const READINGS: usize = 3;

    /// A socket of some process.
    pub(super) struct Socket {
        pub(super) uid: u32,
        inode: String,
    }

    /// The socket that is bound to `local` and connected to `remote`.
    pub(super) fn find(local: SocketAddr, remote: SocketAddr) -> io::Result<Socket> {
        for _ in 0..READINGS {
            // A client may use a socket of IPv6 for an address of IPv4, as Java does.
            for (table, mapped) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
                let rows = match fs::read_to_string(table) {
                    Ok(rows) => rows,
                    // A kernel without IPv6.
                    Err(error) if mapped && error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(io::Error::new(error.kind(), format!("{table}: {error}"))),
                };
                if let Some(socket) = row(&rows, &column(local, mapped), &column(remote, mapped)) {
                    return Ok(socket);
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "its socket is not there any more"))
    }

    fn row(rows: &str, local: &str, remote: &str) -> Option<Socket> {
        rows.lines().find_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            if fields.next() != Some(local) || fields.next() != Some(remote) {
                return None;
            }
            let uid = fields.nth(4)?.parse().ok()?;
            Some(Socket { uid, inode: format!("socket:[{}]", fields.nth(1)?) })
        })
    }

    /// An address as the kernel prints it: words of 32 bits in the machine's own order.
    pub(super) fn column(address: SocketAddr, mapped: bool) -> String {
        let word = |bytes: &[u8]| match bytes.try_into() {
            Ok(bytes) => format!("{:08X}", u32::from_ne_bytes(bytes)),
            Err(_) => String::new(),
        };
        let words: String = match address.ip() {
            IpAddr::V4(ip) if mapped => ip.to_ipv6_mapped().octets().chunks(4).map(word).collect(),
            IpAddr::V4(ip) => word(&ip.octets()),
            IpAddr::V6(ip) => ip.octets().chunks(4).map(word).collect(),
        };
        format!("{words}:{:04X}", address.port())
    }

    /// Whether a process has the socket open.
    pub(super) fn holds(pid: u32, socket: &Socket) -> bool {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|target| target.as_os_str() == socket.inode.as_str())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_process_is_known_by_its_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        let own = stream.local_addr().unwrap();
        assert_eq!(check(peer, own, std::process::id()), Ok(()));
        let mut other = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(check(peer, own, other.id()), Err(Stranger::Process));
        drop(client);
        drop(stream);
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn an_address_is_written_as_the_kernel_prints_it() {
        let address = "127.0.0.1:46867".parse().unwrap();
        assert_eq!(sockets::column(address, false), "0100007F:B713");
        assert_eq!(sockets::column(address, true), "0000000000000000FFFF00000100007F:B713");
    }
}
