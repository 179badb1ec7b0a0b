//! Who this process's user is.
#![expect(unsafe_code, reason = "std knows no users of Windows, and no well-kept safe crate names them")]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::win32::{sid_text, succeeded};

/// Returns the security identifier (SID) of the user this process runs as, as text: `S-1-5-21-…`.
///
/// It is the same one whether the process is elevated or not.
pub fn current() -> io::Result<String> {
    let token = process_token()?;
    let mut length = 0;
    // SAFETY: without a buffer it writes only the length that it needs, and fails.
    unsafe { GetTokenInformation(token.as_raw_handle(), TokenUser, ptr::null_mut(), 0, &raw mut length) };
    // Of u64, because TOKEN_USER must be aligned.
    let mut buffer = vec![0_u64; usize::try_from(length).unwrap_or_default().div_ceil(8)];
    // SAFETY: the buffer has the length that it said.
    succeeded(unsafe {
        GetTokenInformation(token.as_raw_handle(), TokenUser, buffer.as_mut_ptr().cast(), length, &raw mut length)
    })?;
    if buffer.len() * 8 < size_of::<TOKEN_USER>() {
        return Err(io::Error::other("the user's token names nobody"));
    }
    // SAFETY: it begins with a TOKEN_USER, and is large enough and aligned for one; any bits are one.
    let user = unsafe { &*buffer.as_ptr().cast::<TOKEN_USER>() };
    // SAFETY: the SID is in the buffer, which is still there.
    unsafe { sid_text(user.User.Sid) }
}

fn process_token() -> io::Result<OwnedHandle> {
    let mut token = ptr::null_mut();
    // SAFETY: it takes nothing and gives a constant that stands for this process.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: that is a process, and it writes one handle.
    succeeded(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: it succeeded, so the handle is open, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_user_has_a_sid() {
        let sid = super::current().unwrap();
        assert!(sid.starts_with("S-1-5-"), "{sid}");
        assert_eq!(super::current().unwrap(), sid);
    }
}
