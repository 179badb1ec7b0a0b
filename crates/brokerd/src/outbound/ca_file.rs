//! A profile's own certificate authorities.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// One that is open and was looked at: what is read is what nobody else could have written, also where the path leads to
/// another file by then.
pub(super) struct CaFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

/// What changes with a file: when it was written, its length, and where the platform has them, its inode and when that was
/// changed, which nobody can set back.
pub(super) type Stamp = (Option<SystemTime>, u64, Option<(u64, i64, i64)>);

impl CaFile {
    /// Refuses one that others may write, as when the configuration was read.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let (file, metadata) = crate::config::open_file(path).map_err(|why| format!("ca_file: {why}"))?;
        Ok(Self { path: path.into(), file, metadata })
    }

    /// By what it is told from what it was.
    pub(super) fn stamp(&self) -> Stamp {
        (self.metadata.modified().ok(), self.metadata.len(), inode(&self.metadata))
    }

    /// Reads it: at least one certificate.
    pub(super) fn certificates(self) -> Result<Vec<CertificateDer<'static>>, String> {
        let Self { path, file, .. } = self;
        let read: Result<Vec<_>, _> = CertificateDer::pem_reader_iter(file).collect();
        match read {
            Ok(certificates) if certificates.is_empty() => {
                Err(format!("ca_file {} has no certificate in it", path.display()))
            }
            read => read.map_err(|error| format!("ca_file {}: {error}", path.display())),
        }
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn inode(metadata: &Metadata) -> Option<(u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt as _;

    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn inode(_metadata: &Metadata) -> Option<(u64, i64, i64)> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn write(directory: &tempfile::TempDir, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let (path, written) = (directory.path().join(name), SystemTime::UNIX_EPOCH);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        File::options().write(true).open(&path)?.set_modified(written)?;
        Ok(path)
    }

    /// Exchanged by a rename, by a tool that keeps times as they were.
    #[test]
    fn one_of_the_same_length_and_time_is_another_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(&directory, "ca.pem", "one").unwrap();
        let stamp = || CaFile::open(&path).unwrap().stamp();
        let first = stamp();
        assert_eq!(stamp(), first);
        std::fs::rename(write(&directory, "new.pem", "two").unwrap(), &path).unwrap();
        let second = stamp();
        assert_ne!(second, first);
        assert_eq!((second.0, second.1), (first.0, first.1), "by its time and length it is the same");
    }

    #[test]
    fn what_is_read_is_what_was_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let pem = |base64: &str| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        let path = write(&directory, "ca.pem", &pem("b25l")).unwrap();
        let looked_at = CaFile::open(&path).unwrap();
        std::fs::rename(write(&directory, "new.pem", &pem("dHdv")).unwrap(), &path).unwrap();
        assert_eq!(looked_at.certificates().unwrap(), [CertificateDer::from(b"one".to_vec())]);
        let empty = CaFile::open(&write(&directory, "empty.pem", "").unwrap()).unwrap();
        assert!(empty.certificates().unwrap_err().contains("no certificate in it"));
    }
}
