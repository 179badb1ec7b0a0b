//! Whether a user id that the kernel tells is surely this process's own user's.

#[cfg(unix)]
use rustix::process::geteuid;

/// The overflow uid of every Linux whose administrator has not chosen another: to look for that would cost each client a file.
#[cfg(any(target_os = "linux", target_os = "android"))]
const OVERFLOW: u32 = 65_534;

/// Returns whether a user id, as the kernel tells it to this process, is surely that of this process's effective user.
#[cfg(unix)]
pub fn is_own(uid: u32) -> bool {
    uid == geteuid().as_raw() && !may_be_anybody(uid)
}

/// Returns whether the number may stand for any of several users.
///
/// All whom this process's user namespace does not map have one number in it, the overflow uid: strangers, and this process's
/// own user too where that is not mapped.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn may_be_anybody(uid: u32) -> bool {
    // The map is read for that one number only: clients do not wait for it elsewhere.
    uid == OVERFLOW && !std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_everybody(&map))
}

/// Returns whether the number may stand for any of several users: there are no user namespaces here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn may_be_anybody(_uid: u32) -> bool {
    false
}

/// Whether the text of `/proc/self/uid_map` leaves nobody out: lines of first number inside, first outside, how many.
///
/// That it maps the overflow uid is not enough: the number is then one user's, and still that of all who are left out.
#[cfg(any(target_os = "linux", target_os = "android", all(test, unix)))]
fn maps_everybody(map: &str) -> bool {
    let counts = map.lines().map(|line| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok());
    // The last number, -1, is no user's.
    counts.sum::<Option<u64>>().is_some_and(|users| users >= u64::from(u32::MAX))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_map_of_everybody_lets_the_overflow_uid_be_one_user() {
        for (map, everybody) in [
            ("         0          0 4294967295\n", true),
            ("0 1 1\n1 0 1\n2 2 4294967293\n", true),
            // Nobody, as unshare(1) leaves it; root alone; the user alone; a container of 65536, this one among them.
            ("", false),
            ("         0       1000          1\n", false),
            ("65534 65534 1\n", false),
            ("0 1000 1\n1 100000 65535\n", false),
            ("0 0 4294967294\n", false),
            ("0 0 many\n", false),
            ("0 0\n", false),
        ] {
            assert_eq!(maps_everybody(map), everybody, "{map}");
        }
    }

    #[test]
    fn this_process_is_its_own_and_another_number_is_not() {
        let own = geteuid().as_raw();
        assert!(is_own(own) && !is_own(own ^ 1));
    }
}
