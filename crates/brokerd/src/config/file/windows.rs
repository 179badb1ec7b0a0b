//! Who may write or read a file, by its access list. A file in the user's profile inherits one that names the user, the
//! system and the administrators; one made elsewhere, say in `C:\`, names everybody who has an account.

use std::fs::File;

use broker_windows::sddl::{Access, READ, WRITE, means};
use broker_windows::{security, user};

/// `SYSTEM`, `Administrators` and `TrustedInstaller`, who need no list to do as they like.
const MACHINE: [&str; 3] =
    ["S-1-5-18", "S-1-5-32-544", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"];
/// The first two in the letters of access lists, and the owner, who is looked at by himself.
const HARMLESS: [&str; 3] = ["SY", "BA", "OW"];

/// Refuses a file that somebody else could have written.
pub(crate) fn check_owner(file: &File) -> Result<(), String> {
    let (owner, access, user) = facts(file)?;
    if !is_trusted(&owner, &user) {
        return Err(format!("it belongs to another user ({owner})"));
    }
    match stranger(&access, WRITE, &user) {
        Some(who) => Err(format!("others may write it ({who})")),
        None => Ok(()),
    }
}

/// Refuses a file that somebody else could read.
pub(crate) fn check_unread(file: &File) -> Result<(), String> {
    let (_, access, user) = facts(file)?;
    match stranger(&access, READ, &user) {
        Some(who) => Err(format!("others may read it ({who})")),
        None => Ok(()),
    }
}

fn facts(file: &File) -> Result<(String, Access, String), String> {
    let unknown = |error: std::io::Error| format!("who may write it cannot be told: {error}");
    let user = user::current().map_err(unknown)?;
    let security = security::of_file(file).map_err(unknown)?;
    let access = Access::parse(&security.access).ok_or("its access list cannot be read")?;
    Ok((security.owner, access, user))
}

fn stranger<'a>(access: &'a Access, rights: u32, user: &str) -> Option<&'a str> {
    access.who_may(rights).find(|who| !is_trusted(who, user))
}

fn is_trusted(who: &str, user: &str) -> bool {
    means(who, user) || MACHINE.contains(&who) || HARMLESS.contains(&who)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "S-1-5-21-1-2-3-1001";

    fn strangers(list: &str) -> (bool, bool) {
        let access = Access::parse(list).unwrap();
        (stranger(&access, WRITE, ADA).is_some(), stranger(&access, READ, ADA).is_some())
    }

    #[test]
    fn a_profiles_list_is_the_users_own_and_a_disks_is_not() {
        let profile = format!("D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;{ADA})");
        assert_eq!(strangers(&profile), (false, false));
        let disk = "D:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)";
        assert_eq!(strangers(disk), (true, true));
        assert_eq!(strangers("D:(A;;FR;;;WD)"), (false, true));
        assert_eq!(strangers("D:(A;;FA;;;S-1-5-21-1-2-3-1002)"), (true, true));
        assert_eq!(strangers("D:NO_ACCESS_CONTROL"), (true, true));
    }

    #[test]
    fn a_file_of_this_test_is_the_users_own() {
        let file = tempfile::tempfile().unwrap();
        check_owner(&file).unwrap();
        check_unread(&file).unwrap();
    }
}
