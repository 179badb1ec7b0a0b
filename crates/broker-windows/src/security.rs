//! The access lists of pipes and files, as text (SDDL): whose they are, and who may do what with them.
#![expect(unsafe_code, reason = "std knows no access lists, and no well-kept safe crate reads those of open handles")]

use std::ffi::{OsStr, c_void};
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::ptr;

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT, SE_KERNEL_OBJECT, SE_OBJECT_TYPE,
};
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION};

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
    fn what_is_no_access_list_is_refused() {
        Descriptor::parse("D:(nonsense").unwrap_err();
        Descriptor::parse("D:P(A;;GA;;;SY)").unwrap();
    }
}
