//! Whose the other end of a loopback connection is. There are no credentials on TCP; on Linux the kernel's table of its
//! connections has the user of each.

use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::net::SocketAddrV4;

/// Whether this system tells.
pub(super) const IS_KNOWN: bool = cfg!(target_os = "linux");

/// Returns whether the connection from `there` to `here` is surely of this process's effective user.
#[cfg(target_os = "linux")]
pub(super) fn is_own(here: SocketAddr, there: SocketAddr) -> bool {
    let (SocketAddr::V4(here), SocketAddr::V4(there)) = (here, there) else { return false };
    let user = |table, [local, remote]: [String; 2]| {
        owner(&std::fs::read_to_string(table).unwrap_or_default(), &local, &remote)
    };
    let user =
        user("/proc/net/tcp", [there, here].map(by_v4)).or_else(|| user("/proc/net/tcp6", [there, here].map(by_v6)));
    user.is_some_and(broker_ipc::user::is_own)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_own(_here: SocketAddr, _there: SocketAddr) -> bool {
    false
}

/// An end as the table of IPv4 has it.
#[cfg(target_os = "linux")]
fn by_v4(end: SocketAddrV4) -> String {
    written(&end.ip().octets(), end.port())
}

/// The same end as the table of IPv6 has it: a client's socket may be one of IPv6 that speaks to `::ffff:127.0.0.1`, as
/// those of the JVM and of .NET do.
#[cfg(target_os = "linux")]
fn by_v6(end: SocketAddrV4) -> String {
    written(&end.ip().to_ipv6_mapped().octets(), end.port())
}

/// The address as the kernel has it in memory, each four bytes read as a number of this machine's.
#[cfg(target_os = "linux")]
fn written(address: &[u8], port: u16) -> String {
    let (words, _) = address.as_chunks::<4>();
    let words: Vec<_> = words.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect();
    format!("{}:{port:04X}", words.concat())
}

/// The user of the socket with these two ends, by proc(5): `sl local_address rem_address st … uid`. One that is closed
/// already has none any more: it counts only as long as its user holds it.
#[cfg(target_os = "linux")]
fn owner(table: &str, local: &str, remote: &str) -> Option<u32> {
    /// Established, the two where it has said its last, and where we have.
    const HELD: [&str; 4] = ["01", "04", "05", "08"];
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_it = fields.next() == Some(local) && fields.next() == Some(remote);
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

    fn end(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port)
    }

    #[test]
    fn the_owner_is_that_of_the_other_end() {
        let owner = |local, remote| owner(TABLE, &by_v4(end(local)), &by_v4(end(remote)));
        assert_eq!(owner(0xd431, 8080), Some(1001));
        assert_eq!(owner(8080, 0xd431), Some(1000));
        assert_eq!(owner(0xd432, 8080), None, "closed: its user is not in it any more");
        assert_eq!(owner(0xd433, 8080), None);
    }

    #[test]
    fn an_end_of_ipv6_is_written_as_the_kernel_does() {
        assert_eq!(by_v6(end(8080)), "0000000000000000FFFF00000100007F:1F90");
    }

    #[test]
    fn a_connection_of_ours_is_known_as_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for address in [format!("127.0.0.1:{port}"), format!("[::ffff:127.0.0.1]:{port}")] {
            let client = match std::net::TcpStream::connect(&address) {
                // EAFNOSUPPORT, EADDRNOTAVAIL: this machine has no IPv6.
                Err(error) if matches!(error.raw_os_error(), Some(97 | 99)) => continue,
                client => client.unwrap(),
            };
            let (accepted, from) = listener.accept().unwrap();
            assert!(is_own(accepted.local_addr().unwrap(), from), "{address}");
            drop(client);
        }
    }
}
