//! Whose the other end of a loopback connection is. There are no credentials on TCP; on Linux the kernel's table of its
//! connections has the user of each.

use std::net::{SocketAddr, SocketAddrV4};

/// Whether this system tells.
pub(super) const IS_KNOWN: bool = cfg!(target_os = "linux");

/// Returns whether the connection from `there` to `here` is of this process's effective user.
#[cfg(target_os = "linux")]
pub(super) fn is_own(here: SocketAddr, there: SocketAddr) -> bool {
    let (SocketAddr::V4(here), SocketAddr::V4(there)) = (here, there) else { return false };
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    owner(&table, there, here) == Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_own(_here: SocketAddr, _there: SocketAddr) -> bool {
    false
}

/// The user of the socket with these two ends, by proc(5): `sl local_address rem_address st … uid`. One that is closed
/// already has none any more: it counts only as long as its user holds it.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the table is Linux's"))]
fn owner(table: &str, local: SocketAddrV4, remote: SocketAddrV4) -> Option<u32> {
    /// Established, the two where it has said its last, and where we have.
    const HELD: [&str; 4] = ["01", "04", "05", "08"];
    // The address as the kernel has it in memory, read as a number of this machine's.
    let hex = |end: SocketAddrV4| format!("{:08X}:{:04X}", u32::from_ne_bytes(end.ip().octets()), end.port());
    let (local, remote) = (hex(local), hex(remote));
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_it = fields.next() == Some(&local) && fields.next() == Some(&remote);
        let is_held = is_it && fields.next().is_some_and(|state| HELD.contains(&state));
        // tx:rx, tr:tm, retrnsmt, uid
        if is_held { fields.nth(3)?.parse().ok() } else { None }
    })
}

#[cfg(all(test, target_os = "linux", target_endian = "little"))]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:D431 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 100 0 0 10 0
   3: 0100007F:D432 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 100 0 0 10 0
";

    #[test]
    fn the_owner_is_that_of_the_other_end() {
        let end = |port| SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port);
        assert_eq!(owner(TABLE, end(0xd431), end(8080)), Some(1001));
        assert_eq!(owner(TABLE, end(8080), end(0xd431)), Some(1000));
        assert_eq!(owner(TABLE, end(0xd432), end(8080)), None, "closed: its user is not in it any more");
        assert_eq!(owner(TABLE, end(0xd433), end(8080)), None);
    }

    #[test]
    fn a_connection_of_ours_is_known_as_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, from) = listener.accept().unwrap();
        assert!(is_own(accepted.local_addr().unwrap(), from));
        drop(client);
    }
}
