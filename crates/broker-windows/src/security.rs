//! The access lists of pipes and files, as text (SDDL): whose they are, and who may do what with them.
#![expect(unsafe_code, reason = "std knows no access lists, and no well-kept safe crate reads those of open handles")]

use std::ffi::{OsStr, c_void};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, GENERIC_WRITE};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT, SE_KERNEL_OBJECT, SE_OBJECT_TYPE,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION,
    SetKernelObjectSecurity, UNPROTECTED_DACL_SECURITY_INFORMATION,
};
use windows_sys::Win32::Storage::FileSystem::WRITE_DAC;

use crate::win32::{Local, sid_text, succeeded, wide};

/// Whose an object is, and who may do what with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// The owner's SID.
    pub owner: String,
    /// The access list, in SDDL; see [`crate::sddl::Access`].
    pub access: String,
}

/// Returns whose an open pipe is, and its access list.
pub fn of_pipe(pipe: &impl AsHandle) -> io::Result<Security> {
    describe(pipe, SE_KERNEL_OBJECT)
}

/// Returns whose an open file is, and its access list.
pub fn of_file(file: &impl AsHandle) -> io::Result<Security> {
    describe(file, SE_FILE_OBJECT)
}

fn describe(object: &impl AsHandle, kind: SE_OBJECT_TYPE) -> io::Result<Security> {
    let (mut owner, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    let handle = object.as_handle().as_raw_handle();
    // SAFETY: the handle is open; it writes two pointers, and passes over those that are null.
    let error = unsafe {
        GetSecurityInfo(
            handle,
            kind,
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if error != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(error.cast_signed()));
    }
    // SAFETY: its documentation says to free it so.
    let descriptor = unsafe { Local::own(descriptor) };
    // SAFETY: the owner is in the descriptor, which is still there; null is refused.
    let owner = unsafe { sid_text(owner) }?;
    let (mut text, mut length) = (ptr::null_mut(), 0);
    // SAFETY: that is a whole descriptor; it writes one pointer and one length.
    succeeded(unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.as_ptr(),
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &raw mut text,
            &raw mut length,
        )
    })?;
    // SAFETY: its documentation says to free it so.
    let text = unsafe { Local::own(text.cast()) };
    // SAFETY: and that a zero is at its end.
    Ok(Security { owner, access: unsafe { text.text() } })
}

/// Replaces a file's access list by one in SDDL, as it is: nothing is inherited anew.
pub fn set_access(path: &Path, access: &str) -> io::Result<()> {
    give(&OpenOptions::new().access_mode(WRITE_DAC).open(path)?, access)
}

/// Makes a file that only this user may open, whatever its directory would grant. There must be none yet.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Shared with nobody, so that it cannot be open elsewhere when the list takes hold.
    options.write(true).create_new(true).access_mode(GENERIC_WRITE | WRITE_DAC).share_mode(0);
    let file = options.open(path)?;
    let private = crate::user::current().and_then(|user| give(&file, &format!("D:P(A;;FA;;;{user})")));
    if let Err(error) = private {
        drop(file);
        drop(std::fs::remove_file(path));
        return Err(error);
    }
    Ok(file)
}

fn give(file: &File, access: &str) -> io::Result<()> {
    let descriptor = Descriptor::parse(access)?;
    // The flags before the first entry: `P` keeps the directory's list out, also when that changes.
    let is_protected = access.split('(').next().is_some_and(|flags| flags.trim_start_matches("D:").contains('P'));
    let inheritance =
        if is_protected { PROTECTED_DACL_SECURITY_INFORMATION } else { UNPROTECTED_DACL_SECURITY_INFORMATION };
    // SAFETY: the handle is open, and that is a whole descriptor.
    succeeded(unsafe {
        SetKernelObjectSecurity(
            file.as_handle().as_raw_handle(),
            DACL_SECURITY_INFORMATION | inheritance,
            descriptor.as_ptr(),
        )
    })
}

/// An access list to make something with.
#[derive(Debug)]
pub(crate) struct Descriptor(Local);

// SAFETY: the memory is not bound to a thread, and nothing writes to it before it is freed.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    /// Reads SDDL.
    pub(crate) fn parse(sddl: &str) -> io::Result<Self> {
        let (text, mut descriptor) = (wide(OsStr::new(sddl)), ptr::null_mut());
        // SAFETY: the text has a zero at its end; it writes one pointer, and no length where that is null.
        succeeded(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        })?;
        // SAFETY: its documentation says to free it so.
        Ok(Self(unsafe { Local::own(descriptor) }))
    }

    pub(crate) const fn as_ptr(&self) -> *mut c_void {
        self.0.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sddl::Access;

    #[test]
    fn a_file_says_whose_it_is() {
        let file = tempfile::tempfile().unwrap();
        let security = of_file(&file).unwrap();
        assert!(security.owner.starts_with("S-1-"), "{security:?}");
        assert!(Access::parse(&security.access).is_some(), "{security:?}");
    }

    #[test]
    fn a_private_file_is_the_users_alone_and_another_has_the_list_that_it_is_given() {
        let directory = tempfile::tempdir().unwrap();
        let (private, open) = (directory.path().join("private"), directory.path().join("open"));
        let list = |path: &Path| of_file(&File::open(path).unwrap()).unwrap();
        drop(create_private(&private).unwrap());
        create_private(&private).unwrap_err();
        std::fs::write(&open, "x").unwrap();
        set_access(&open, &format!("D:P(A;;FA;;;{})(A;;FR;;;WD)", list(&open).owner)).unwrap();
        let readers = |path: &Path| {
            let security = list(path);
            let access = Access::parse(&security.access).unwrap();
            let others = |who: &&str| !["SY", "BA"].contains(who) && !crate::sddl::means(who, &security.owner);
            access.who_may(crate::sddl::READ).filter(others).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((readers(&private), readers(&open)), (vec![], vec!["WD".to_owned()]));
        set_access(&open, &list(&private).access).unwrap();
        assert_eq!(list(&open), list(&private));
        assert_eq!(std::fs::read(&open).unwrap(), b"x");
    }

    #[test]
    fn what_is_no_access_list_is_refused() {
        Descriptor::parse("D:(nonsense").unwrap_err();
        Descriptor::parse("D:P(A;;GA;;;SY)").unwrap();
    }
}
