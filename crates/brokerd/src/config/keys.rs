//! Unknown keys, found before anything else is read: named with their line and the nearest key there is.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

const TOP: &[&str] = &["default_profile", "hosts", "profiles", "prompt", "sockets", "store"];
const HOST: &[&str] = &["match", "profile", "scopes", "account", "tenant", "username"];
const PROMPT: &[&str] = &["command"];
const SOCKET: &[&str] = &["path", "profiles", "scopes", "interaction", "allow_uids"];
const STORE: &[&str] = &["kind", "path", "key_file", "key_command", "key_credential", "passphrase"];
/// Every key of a profile.
pub(crate) const PROFILE: &[&str] = &[
    "provider",
    "issuer",
    "tenant",
    "authority",
    "cloud",
    "client_id",
    "client_secret",
    "client_secret_file",
    "client_authentication",
    "pkce",
    "scopes",
    "extra_parameters",
    "audience",
    "resource",
    "default_account",
    "client_capabilities",
    "share_family",
    "outage_grace",
    "keep_alive",
    "ca_file",
    "proxy",
    "device_authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
];

/// A key nobody knows.
pub(super) struct Unknown {
    pub(super) line: usize,
    pub(super) message: String,
    pub(super) hint: String,
}

/// Looks for unknown keys in every table.
pub(super) fn check(table: &Spanned<DeTable<'_>>, text: &str) -> Result<(), Unknown> {
    let root = table.get_ref();
    check_table(root, TOP, "the top of the file", text)?;
    if let Some(store) = sub_table(root, "store") {
        check_table(store, STORE, "[store]", text)?;
    }
    if let Some(prompt) = sub_table(root, "prompt") {
        check_table(prompt, PROMPT, "[prompt]", text)?;
    }
    for (name, known) in [("hosts", HOST), ("sockets", SOCKET)] {
        for item in items(root, name) {
            if let DeValue::Table(item) = item.get_ref() {
                check_table(item, known, &format!("[[{name}]]"), text)?;
            }
        }
    }
    for (name, profile) in sub_table(root, "profiles").into_iter().flatten() {
        if let DeValue::Table(profile) = profile.get_ref() {
            check_table(profile, PROFILE, &format!("[profiles.{}]", name.get_ref()), text)?;
        }
    }
    Ok(())
}

/// The line of the key that `message` begins with, in a table within the file's; the line of the innermost table there is, where
/// that has no such key.
pub(super) fn line_of_key(table: &Spanned<DeTable<'_>>, text: &str, within: &[&str], message: &str) -> Option<usize> {
    let named = message.split([' ', ':']).next().unwrap_or_default();
    let (mut table, mut line) = (table.get_ref(), None);
    for name in within.iter().copied().chain([named]) {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        line = Some(line_of(text, key.span().start));
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    line
}

/// The key whose value has the byte at `offset` in it, with the tables it stands in: `profiles.work.client_id`.
pub(super) fn key_at(table: &DeTable<'_>, offset: usize) -> Option<String> {
    let (key, value) = table.iter().find(|(_, value)| is_in(value, offset))?;
    match within(value, offset) {
        Some(inner) => Some(format!("{}.{inner}", key.get_ref())),
        None => Some(key.get_ref().to_string()),
    }
}

/// The key further in, where a value has keys.
fn within(value: &Spanned<DeValue<'_>>, offset: usize) -> Option<String> {
    match value.get_ref() {
        DeValue::Table(table) => key_at(table, offset),
        DeValue::Array(items) => within(items.iter().find(|item| is_in(item, offset))?, offset),
        _ => None,
    }
}

/// A table's span is its header alone, and an array of tables' that of the first.
fn is_in(value: &Spanned<DeValue<'_>>, offset: usize) -> bool {
    value.span().contains(&offset)
        || match value.get_ref() {
            DeValue::Table(table) => table.values().any(|value| is_in(value, offset)),
            DeValue::Array(items) => items.iter().any(|item| is_in(item, offset)),
            _ => false,
        }
}

/// The line an item of an array of tables begins on.
pub(super) fn line_of_item(table: &Spanned<DeTable<'_>>, text: &str, name: &str, index: usize) -> Option<usize> {
    let item = items(table.get_ref(), name).nth(index)?;
    Some(line_of(text, item.span().start))
}

/// The line, from 1, that a byte is on.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn sub_table<'t, 'd>(table: &'t DeTable<'d>, name: &str) -> Option<&'t DeTable<'d>> {
    match table.get(name)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn items<'t, 'd>(table: &'t DeTable<'d>, name: &str) -> impl Iterator<Item = &'t Spanned<DeValue<'d>>> {
    let array = match table.get(name).map(Spanned::get_ref) {
        Some(DeValue::Array(array)) => Some(array),
        _ => None,
    };
    array.into_iter().flat_map(|array| array.iter())
}

fn check_table(table: &DeTable<'_>, known: &[&str], place: &str, text: &str) -> Result<(), Unknown> {
    for key in table.keys() {
        let name: &str = key.get_ref();
        if !known.contains(&name) {
            return Err(Unknown {
                line: line_of(text, key.span().start),
                message: format!("{name:?} is no key of {place}"),
                hint: nearest(name, known).map_or_else(
                    || format!("the keys there are: {}", known.join(", ")),
                    |near| format!("did you mean {near:?}?"),
                ),
            });
        }
    }
    Ok(())
}

/// The nearest of the known names, if one is near.
pub(crate) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let score = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), candidate);
    known.iter().copied().filter(|near| score(near) > 0.8).max_by(|a, b| score(a).total_cmp(&score(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> Unknown {
        check(&DeTable::parse(text).unwrap(), text).err().unwrap_or_else(|| panic!("{text} is good"))
    }

    /// Each row: a key, the place it stands in, and the hint. serde would list every key there is.
    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_nearest_there_is() {
        for (text, message, hint) in [
            ("[profiles.p]\nclientid = 1", "\"clientid\" is no key of [profiles.p]", "did you mean \"client_id\"?"),
            ("[profiles.p]\nClientId = 1", "\"ClientId\" is no key of [profiles.p]", "did you mean \"client_id\"?"),
            ("[profiles.p]\nscope = 1", "\"scope\" is no key of [profiles.p]", "did you mean \"scopes\"?"),
            ("[store]\nkeyfile = 1", "\"keyfile\" is no key of [store]", "did you mean \"key_file\"?"),
            ("\nprofile = 1", "\"profile\" is no key of the top of the file", "did you mean \"profiles\"?"),
            (
                "[store]\nxyz = 1",
                "\"xyz\" is no key of [store]",
                "the keys there are: kind, path, key_file, key_command, key_credential, passphrase",
            ),
        ] {
            let unknown = unknown(text);
            assert_eq!((unknown.line, unknown.message.as_str(), unknown.hint.as_str()), (2, message, hint));
        }
    }
}
