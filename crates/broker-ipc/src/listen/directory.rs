//! A directory that only its owner may enter, held open: what is done in it cannot be redirected by renaming it.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::{Access, ListenError};
use crate::user::is_own;

/// Permission bits of everybody but the owner.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);
/// What would let them exchange the socket.
const OTHERS_WRITE: Mode = Mode::WGRP.union(Mode::WOTH);

/// A directory, and no link to one.
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// The socket's directory, checked and held open.
#[derive(Debug)]
pub(super) struct PrivateDir {
    path: PathBuf,
    fd: OwnedFd,
}

/// Which file something is.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileId(Stat);

impl FileId {
    /// Returns whether both are the same file.
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.0.st_dev, self.0.st_ino) == (other.0.st_dev, other.0.st_ino)
    }
}

impl PrivateDir {
    /// Makes the directory where it is missing; opens and checks it. For a socket that others may use, they may enter it, but
    /// not change what is in it.
    pub(super) fn open(path: &Path, access: Access) -> Result<Self, ListenError> {
        let what = || format!("open the directory {}", path.display());
        make(path, access).map_err(ListenError::io(format!("create the directory {}", path.display())))?;
        let fd = rustix::fs::open(path, DIRECTORY, Mode::empty()).map_err(|error| match error {
            // A link: Linux says the one, others the other.
            rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => ListenError::insecure(path, "is a symbolic link"),
            error => ListenError::io(what())(error.into()),
        })?;
        let facts = rustix::fs::fstat(&fd).map_err(|error| ListenError::io(what())(error.into()))?;
        if !is_own(facts.st_uid) {
            return Err(ListenError::insecure(path, format!("belongs to user {}", facts.st_uid)));
        }
        let mode = Mode::from_raw_mode(facts.st_mode);
        let (forbidden, why, good) = match access {
            Access::Own => (OTHERS, "is open to others", "0700"),
            Access::Shared => (OTHERS_WRITE, "may be written by others", "0711"),
        };
        if mode.intersects(forbidden) {
            let why = format!("{why} (mode {:04o}); make it {good}", mode.bits());
            return Err(ListenError::insecure(path, why));
        }
        Ok(Self { path: path.to_path_buf(), fd })
    }

    /// The path of something in it, for people.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens or makes a file of ours in it, 0600, without following a link.
    pub(super) fn open_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Returns which socket of ours `name` is; `None` when there is no such file.
    pub(super) fn own_socket(&self, name: &str) -> Result<Option<FileId>, ListenError> {
        let path = || self.path.join(name);
        let facts = match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => facts,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => {
                return Err(ListenError::io(format!("look at {}", path().display()))(error.into()));
            }
        };
        if FileType::from_raw_mode(facts.st_mode) != FileType::Socket {
            return Err(ListenError::insecure(path(), "is there already and not a socket"));
        }
        if !is_own(facts.st_uid) {
            let why = format!("is a socket of user {}", facts.st_uid);
            return Err(ListenError::insecure(path(), why));
        }
        Ok(Some(FileId(facts)))
    }

    /// Sets the socket's mode, where it could not be made with it.
    pub(super) fn set_mode(&self, name: &str, access: Access) -> io::Result<()> {
        let mode = Mode::from_raw_mode(access.socket_mode());
        Ok(rustix::fs::chmodat(&self.fd, name, mode, AtFlags::empty())?)
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }
}

/// Makes a directory and those above it, as far as they are missing: 0700, or 0711 where others must come through. One that is
/// there keeps its mode: who closed it may have had a reason.
fn make(path: &Path, access: Access) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make(parent, access)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // By another daemon that starts just now.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        made => made?,
    }
    if access == Access::Shared {
        // The umask would have taken it from the mode.
        let fd = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        rustix::fs::fchmod(&fd, Mode::RWXU | Mode::XGRP | Mode::XOTH)?;
    }
    Ok(())
}
