//! What a process executes, and this one hidden from others of its user.
#![expect(unsafe_code, reason = "std knows of no other process than its own children")]

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;

use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, SetKernelObjectSecurity,
};
use windows_sys::Win32::System::Diagnostics::Debug::{SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};

use crate::security::Descriptor;
use crate::win32::succeeded;

/// Longest path of Windows, in UTF-16 units.
const LONGEST: usize = 32_768;

/// Returns the path of what a process executes.
pub fn executable(id: u32) -> io::Result<PathBuf> {
    let process = open(id, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let mut path = vec![0_u16; LONGEST];
    let mut length = u32::try_from(path.len()).unwrap_or_default();
    // SAFETY: the buffer is this long; it writes the path and how long that is.
    succeeded(unsafe {
        QueryFullProcessImageNameW(process.as_raw_handle(), PROCESS_NAME_WIN32, path.as_mut_ptr(), &raw mut length)
    })?;
    path.truncate(usize::try_from(length).unwrap_or_default());
    Ok(OsString::from_wide(&path).into())
}

fn open(id: u32, access: u32) -> io::Result<OwnedHandle> {
    // SAFETY: it takes numbers, and returns a handle or null.
    let process = unsafe { OpenProcess(access, 0, id) };
    if process.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(process) })
}

/// Keeps what this process reads and writes (stdin, stdout, stderr) from the programs that it starts from now on.
///
/// Windows gives a new program every handle that can be inherited, also one whose own output goes elsewhere. Whoever reads
/// from this process's stdout would wait for the end of that program too. One that is missing is passed over.
pub fn keep_standard_handles() {
    let keep = |handle: BorrowedHandle<'_>| {
        // SAFETY: it takes a handle, which need not be open, and two flags.
        unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, 0) };
    };
    keep(io::stdin().as_handle());
    keep(io::stdout().as_handle());
    keep(io::stderr().as_handle());
}

/// Lets no other program of this user read this process's memory, and leaves no dump of it when it fails.
///
/// They may still learn what it executes and end it. An administrator who debugs programs can read it all the same.
pub fn hide(user: &str) -> io::Result<()> {
    // SAFETY: it takes and returns flags.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX) };
    // To end it, wait for it, and ask limited questions; the owner may read this list, not change it (`OW`).
    let descriptor = Descriptor::parse(&format!("D:P(A;;0x101001;;;{user})(A;;GA;;;SY)(A;;RC;;;OW)"))?;
    // SAFETY: it takes nothing and gives a constant that stands for this process.
    let process = unsafe { GetCurrentProcess() };
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: that is a process, and a whole descriptor.
    succeeded(unsafe { SetKernelObjectSecurity(process, what, descriptor.as_ptr()) })
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Foundation::ERROR_ACCESS_DENIED;
    use windows_sys::Win32::System::Threading::{PROCESS_DUP_HANDLE, PROCESS_TERMINATE, PROCESS_VM_READ};

    use super::*;

    #[test]
    fn a_hidden_process_can_be_ended_and_named_but_not_read() {
        let own = std::process::id();
        open(own, PROCESS_VM_READ).unwrap();
        hide(&crate::user::current().unwrap()).unwrap();
        for access in [PROCESS_VM_READ, PROCESS_DUP_HANDLE] {
            let error = open(own, access).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(ERROR_ACCESS_DENIED.cast_signed()), "{access:#x}: {error}");
        }
        open(own, PROCESS_TERMINATE).unwrap();
        executable(own).unwrap();
    }
}
