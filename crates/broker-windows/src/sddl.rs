//! What an access list says: the entries of a DACL in Windows' Security Descriptor Definition Language.
//!
//! Only what grants is read, so the answer to "who may" names too many rather than too few: an entry that denies could
//! only take away.

/// Any right that changes an object: its content, its attributes, its name, its owner or its list.
pub const WRITE: u32 = GENERIC_ALL | 0x4000_0000 | 0x000D_0000 | 0x0156;
/// Any right that shows a file's content, or lets its holder grant himself one that does.
pub const READ: u32 = GENERIC_ALL | 0x8000_0000 | 0x000C_0000 | 0x0001;

const GENERIC_ALL: u32 = 0x1000_0000;

/// The names of rights, two letters each.
#[rustfmt::skip]
const RIGHTS: [(&str, u32); 25] = [
    ("GA", GENERIC_ALL), ("GX", 0x2000_0000), ("GW", 0x4000_0000), ("GR", 0x8000_0000),
    ("SD", 0x0001_0000), ("RC", 0x0002_0000), ("WD", 0x0004_0000), ("WO", 0x0008_0000),
    ("CC", 0x0001), ("DC", 0x0002), ("LC", 0x0004), ("SW", 0x0008), ("RP", 0x0010),
    ("WP", 0x0020), ("DT", 0x0040), ("LO", 0x0080), ("CR", 0x0100),
    ("FA", 0x001F_01FF), ("FR", 0x0012_0089), ("FW", 0x0012_0116), ("FX", 0x0012_00A0),
    ("KA", 0x000F_003F), ("KR", 0x0002_0019), ("KW", 0x0002_0006), ("KX", 0x0002_0019),
];

/// Who may do what with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    grants: Vec<(String, u32)>,
}

impl Access {
    /// Reads the list of a descriptor, `…D:…(A;;FA;;;SY)…`. `None` for text that is no such thing.
    ///
    /// An object without a list is everybody's (`WD`, that is).
    pub fn parse(descriptor: &str) -> Option<Self> {
        const EVERYBODY: &str = "WD";
        let list = descriptor.find("D:").map(|at| &descriptor[at + 2..]);
        let Some(list) = list.filter(|list| !list.starts_with("NO_ACCESS_CONTROL")) else {
            return Some(Self { grants: vec![(EVERYBODY.to_owned(), u32::MAX)] });
        };
        let mut grants = Vec::new();
        for entry in entries(list)? {
            let mut fields = entry.split(';');
            let (kind, flags, rights) = (fields.next()?, fields.next()?, fields.next()?);
            let who = fields.nth(2)?;
            let denies = matches!(kind, "D" | "OD" | "XD");
            // Such an entry is for what will be made inside.
            let for_others = pairs(flags).any(|flag| flag == "IO");
            if !denies && !for_others {
                grants.push((who.to_owned(), parse_rights(rights)?));
            }
        }
        Some(Self { grants })
    }

    /// Returns who may do any of these things: a SID, or Windows' two letters for a well-known one.
    pub fn who_may(&self, rights: u32) -> impl Iterator<Item = &str> {
        self.grants.iter().filter(move |(_, granted)| granted & rights != 0).map(|(who, _)| who.as_str())
    }
}

/// Returns whether an entry's name means the user with this SID.
pub fn means(name: &str, sid: &str) -> bool {
    // The machine's own administrator account, which lists name like this.
    let built_in = || name == "LA" && sid.starts_with("S-1-5-21-") && sid.ends_with("-500");
    name == sid || built_in()
}

/// Takes a list apart: what stands in its outermost parentheses.
fn entries(list: &str) -> Option<Vec<&str>> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '(' => {
                if depth == 0 {
                    start = at + 1;
                }
                depth += 1;
            }
            ')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    found.push(&list[start..at]);
                }
            }
            _ => {}
        }
    }
    (depth == 0).then_some(found)
}

fn parse_rights(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok();
    }
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    pairs(text).try_fold(0, |all, name| {
        let (_, right) = RIGHTS.iter().find(|(known, _)| *known == name)?;
        Some(all | right)
    })
}

fn pairs(text: &str) -> impl Iterator<Item = &str> {
    (0..text.len()).step_by(2).filter_map(|at| text.get(at..at + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "S-1-5-21-1-2-3-1001";

    #[test]
    fn who_may_write_goes_by_the_entries_that_grant() {
        let table: &[(&str, &[&str])] = &[
            ("O:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)(A;ID;FR;;;BU)", &["SY", "BA"]),
            ("O:WDD:AI(A;;0x1301bf;;;AU)(A;;0x1200a9;;;BU)", &["AU"]),
            ("D:(A;OICIIO;GA;;;CO)(A;;CCLCRC;;;WD)(D;;FA;;;AN)", &["WD"]),
            ("D:(A;;FRFX;;;WD)", &[]),
            ("D:(A;;WO;;;BU)(A;;WD;;;BG)(A;;SD;;;AN)", &["BU", "BG", "AN"]),
            ("D:(XA;;FW;;;WD;(@User.Project Any_of {(1)}))(A;;FR;;;BU)", &["WD"]),
            ("D:P", &[]),
            ("D:NO_ACCESS_CONTROL", &["WD"]),
            ("O:BA", &["WD"]),
        ];
        for (text, expected) in table {
            let access = Access::parse(text).unwrap();
            assert_eq!(access.who_may(WRITE).collect::<Vec<_>>(), *expected, "{text}");
        }
        let read = Access::parse("D:(A;;FR;;;BU)(A;;FX;;;BG)(A;;0x1;;;AN)(A;;GR;;;WD)").unwrap();
        assert_eq!(read.who_may(READ).collect::<Vec<_>>(), ["BU", "AN", "WD"]);
    }

    #[test]
    fn what_cannot_be_read_is_no_list() {
        for text in ["D:(A;;FA;;;SY", "D:(A;;FA)", "D:(A;;ZZ;;;SY)", "D:(A;;F;;;SY)", "D:)(", "D:(A;;0xg;;;SY)"] {
            assert_eq!(Access::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_means_one_user() {
        assert!(means(ADA, ADA) && !means("SY", ADA) && !means("LA", ADA));
        assert!(means("LA", "S-1-5-21-1-2-3-500") && !means("LA", "S-1-5-32-500"));
    }
}
