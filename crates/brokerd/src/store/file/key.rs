//! Where the sealed file's key comes from: a file, a command, a systemd credential, or a passphrase ([`super::passphrase`]).

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::passphrase;
use super::sealed::{KEY_LENGTH, Key};
use crate::store::{StoreConfig, StoreError};

/// A key is 32 bytes, and 64 characters and a line end in its longest spelling. More than this is something else.
const MAX_KEY_TEXT: usize = 1024;

/// Fetches the key. A command may take its time, for instance asking a person; the vault's deadline is for that.
pub(super) fn load(config: &StoreConfig) -> Result<Key, StoreError> {
    match source(config)? {
        Source::File(path) => from_file(path),
        Source::Command(command) => from_command(command),
        Source::Credential(name) => from_credential(name, std::env::var_os("CREDENTIALS_DIRECTORY").as_deref()),
        Source::Passphrase => {
            Err(StoreError::NeedsPassphrase { new: !passphrase::is_chosen(&passphrase_file(&super::place(config)?)) })
        }
    }
}

/// What gives the key.
enum Source<'a> {
    File(&'a Path),
    Command(&'a [String]),
    Credential(&'a str),
    Passphrase,
}

/// Whether any source is configured.
pub(super) fn is_configured(config: &StoreConfig) -> bool {
    !matches!(source(config), Err(StoreError::Configuration(why)) if why == NO_SOURCE)
}

/// The one source that is configured.
fn source(config: &StoreConfig) -> Result<Source<'_>, StoreError> {
    let sources = [
        config.key_file.as_deref().map(Source::File),
        config.key_command.as_deref().map(Source::Command),
        config.key_credential.as_deref().map(Source::Credential),
        config.passphrase.then_some(Source::Passphrase),
    ];
    let mut sources = sources.into_iter().flatten();
    match (sources.next(), sources.next()) {
        (Some(source), None) => Ok(source),
        (None, _) => Err(StoreError::Configuration(NO_SOURCE.to_owned())),
        (Some(_), Some(_)) => Err(StoreError::Configuration(
            "of store.key_file, store.key_command, store.key_credential and store.passphrase, two are set; keep one"
                .to_owned(),
        )),
    }
}

const NO_SOURCE: &str =
    "store.kind = \"file\" needs store.key_file, store.key_command, store.key_credential or store.passphrase";

/// Where a key under a passphrase is kept, beside the sealed file.
pub(super) fn passphrase_file(sealed: &Path) -> PathBuf {
    let mut name = sealed.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// Whether a key is there to be fetched. A command is not run for that: it may ask a person.
pub(super) fn check(config: &StoreConfig) -> Result<(), StoreError> {
    match source(config)? {
        Source::Command(command) if !command.is_empty() => Ok(()),
        // Given to the service, and to nobody who checks its configuration; and by a person, when there is one.
        Source::Credential(_) | Source::Passphrase => Ok(()),
        Source::Command(_) | Source::File(_) => load(config).map(drop),
    }
}

fn from_file(path: &Path) -> Result<Key, StoreError> {
    let name = format!("key file {}", path.display());
    let file = File::open(path).map_err(|error| StoreError::file(format!("{name} cannot be read"), error))?;
    check_owner(&file, &name)?;
    let text = read_bounded(file).map_err(|error| StoreError::file(format!("{name} cannot be read"), error))?;
    parse(&text).ok_or_else(|| not_a_key(&name))
}

/// systemd puts credentials where nobody but the service's user and root comes; with an access list, a group's bits are its mask.
fn from_credential(name: &str, directory: Option<&OsStr>) -> Result<Key, StoreError> {
    let wrong = |why: String| StoreError::Configuration(format!("store.key_credential {name:?}: {why}"));
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(wrong("that is no credential's name".to_owned()));
    }
    let Some(directory) = directory else {
        return Err(wrong(
            "there are no credentials: set LoadCredential= or LoadCredentialEncrypted= in the unit".to_owned(),
        ));
    };
    let path = Path::new(directory).join(name);
    let text = File::open(&path)
        .and_then(read_bounded)
        .map_err(|error| StoreError::file(format!("credential {name} cannot be read"), error))?;
    parse(&text).ok_or_else(|| not_a_key(&format!("credential {name}")))
}

/// The descriptor is asked, not the path: nobody can exchange the file in between.
#[cfg(unix)]
fn check_owner(file: &File, name: &str) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata().map_err(|error| StoreError::file(format!("{name} cannot be read"), error))?;
    if !metadata.is_file() {
        return Err(StoreError::Configuration(format!("{name} is not a regular file")));
    }
    if metadata.uid() != 0 && !broker_ipc::user::is_own(metadata.uid()) {
        return Err(StoreError::Configuration(format!("{name} belongs to user {}, not to you", metadata.uid())));
    }
    if metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(StoreError::Configuration(format!(
            "{name} has mode {mode:04o}: others can read or change it; chmod 600"
        )));
    }
    Ok(())
}

#[cfg(windows)]
fn check_owner(file: &File, name: &str) -> Result<(), StoreError> {
    crate::config::check_secret(file).map_err(|why| StoreError::Configuration(format!("{name}: {why}")))
}

fn from_command(command: &[String]) -> Result<Key, StoreError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(StoreError::Configuration("store.key_command is empty".to_owned()));
    };
    let name = format!("key command {program}");
    // Its stderr goes to ours, where the operator looks; its stdout never does.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| StoreError::file(format!("{name} cannot be started"), error))?;
    let text = match child.stdout.take() {
        Some(stdout) => read_bounded(stdout),
        None => Ok(Zeroizing::default()),
    };
    let status = child.wait().map_err(|error| StoreError::file(format!("{name} failed"), error))?;
    let text = text.map_err(|error| StoreError::file(format!("{name} cannot be read"), error))?;
    if !status.success() {
        return Err(StoreError::File { what: format!("{name} failed: {status}"), source: None });
    }
    parse(&text).ok_or_else(|| not_a_key(&name))
}

fn read_bounded(mut reader: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // Not `read_to_end`: growing would leave copies of the key behind.
    let mut text = Zeroizing::new(vec![0; MAX_KEY_TEXT]);
    let mut length = 0;
    while length < text.len() {
        match reader.read(&mut text[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(length);
    Ok(text)
}

fn not_a_key(name: &str) -> StoreError {
    StoreError::Configuration(format!("{name} gives no key: it must be 32 bytes, raw or as hexadecimal or base64"))
}

/// Raw bytes first: 32 bytes are never the text of 32 bytes.
fn parse(text: &[u8]) -> Option<Key> {
    if text.len() == KEY_LENGTH {
        return Some(Zeroizing::new(text.try_into().ok()?));
    }
    let text = text.trim_ascii();
    let mut key = Key::default();
    if text.len() == 2 * KEY_LENGTH {
        for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
            let (high, low) = (char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?);
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        return Some(key);
    }
    let url_safe = text.iter().any(|b| matches!(b, b'-' | b'_'));
    let alphabet = if url_safe { &base64::alphabet::URL_SAFE } else { &base64::alphabet::STANDARD };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut decoded = Zeroizing::new([0; MAX_KEY_TEXT]);
    let length = GeneralPurpose::new(alphabet, config).decode_slice(text, &mut *decoded).ok()?;
    if length != KEY_LENGTH {
        return None;
    }
    key.copy_from_slice(&decoded[..KEY_LENGTH]);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    const BASE64: &str = "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=";

    #[test]
    fn a_key_is_read_in_every_spelling() {
        let key = parse(HEX.as_bytes()).unwrap();
        assert_eq!(key[..4], [0, 0x11, 0x22, 0x33]);
        let same = [
            format!("{HEX}\n"),
            BASE64.to_owned(),
            format!("  {BASE64}\r\n"),
            BASE64.trim_end_matches('=').to_owned(),
            BASE64.replace('/', "_"),
        ];
        for text in same {
            assert_eq!(parse(text.as_bytes()), Some(key.clone()), "{text}");
        }
        assert_eq!(parse(&*key), Some(key.clone()));
        for text in ["", "short", &HEX[1..], &format!("{HEX}00"), &BASE64[4..], &"x".repeat(64)] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, HEX).unwrap();
        for (mode, fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let loaded = from_file(&path);
            assert_eq!(loaded.is_ok(), fine, "{mode:o}");
            assert!(fine || matches!(loaded, Err(StoreError::Configuration(text)) if text.contains("chmod 600")));
        }
        assert!(matches!(from_file(directory.path()), Err(StoreError::Configuration(_))));
        assert!(matches!(from_file(&directory.path().join("none")), Err(StoreError::File { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_command_is_an_argument_list_and_its_failure_shows() {
        let command = |words: &[&str]| from_command(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert!(command(&["printf", "%s\\n", HEX]).is_ok());
        assert!(matches!(command(&["printf", "$HOME; echo"]), Err(StoreError::Configuration(_))), "no shell");
        assert!(matches!(command(&["false"]), Err(StoreError::File { .. })));
        assert!(matches!(command(&["/no/such/program"]), Err(StoreError::File { .. })));
        assert!(matches!(command(&["yes"]), Err(StoreError::File { .. })), "endless output ends the command");
        assert!(matches!(command(&[]), Err(StoreError::Configuration(_))));
    }

    #[test]
    fn exactly_one_source_must_be_configured() {
        let both = StoreConfig {
            key_file: Some("k".into()),
            key_command: Some(vec!["c".to_owned()]),
            ..StoreConfig::default()
        };
        assert!(matches!(load(&both), Err(StoreError::Configuration(_))));
        let both = StoreConfig { key_credential: Some("k".to_owned()), passphrase: true, ..StoreConfig::default() };
        assert!(matches!(load(&both), Err(StoreError::Configuration(why)) if why.contains("two are set")));
        assert!(matches!(load(&StoreConfig::default()), Err(StoreError::Configuration(_))));
        assert!(!is_configured(&StoreConfig::default()) && is_configured(&both));
    }

    #[test]
    fn a_credential_is_read_by_its_name_from_its_directory_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("store-key"), HEX).unwrap();
        std::fs::write(directory.path().join("empty"), "").unwrap();
        let from = |name: &str| from_credential(name, Some(directory.path().as_os_str()));
        assert!(from("store-key").is_ok());
        assert!(matches!(from("empty"), Err(StoreError::Configuration(why)) if why.contains("no key")));
        assert!(matches!(from("other"), Err(StoreError::File { .. })));
        for name in ["", "../store-key", "/etc/passwd", ".hidden"] {
            assert!(matches!(from(name), Err(StoreError::Configuration(_))), "{name:?}");
        }
        let none = from_credential("store-key", None);
        assert!(matches!(none, Err(StoreError::Configuration(why)) if why.contains("LoadCredential=")));
    }
}
