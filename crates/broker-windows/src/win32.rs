//! What calls of Win32's functions have in common: their answer, their memory, wide text, and SIDs.
#![expect(unsafe_code, reason = "memory that Win32 allocates is read and freed through a pointer")]

use std::ffi::{OsStr, c_void};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::PSID;
use windows_sys::core::BOOL;

/// Reads the answer of a function that says why it failed by `GetLastError`.
pub(crate) fn succeeded(answer: BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns text as Win32 takes it: UTF-16 with a zero at its end.
pub(crate) fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}

/// Returns a SID as text.
///
/// # Safety
/// It is null, which is an error, or points to a SID.
pub(crate) unsafe fn sid_text(sid: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the caller says that it is a SID; null is refused.
    succeeded(unsafe { ConvertSidToStringSidW(sid, &raw mut text) })?;
    // SAFETY: its documentation says to free it so.
    let text = unsafe { Local::own(text.cast()) };
    // SAFETY: and that a zero is at its end.
    Ok(unsafe { text.text() })
}

/// Memory that a Win32 function allocated for its caller, who frees it by `LocalFree`.
#[derive(Debug)]
pub(crate) struct Local(*mut c_void);

impl Local {
    /// Takes over what a function has returned.
    ///
    /// # Safety
    /// `memory` is null or comes from a function that says to free it by `LocalFree`; nobody else does.
    pub(crate) const unsafe fn own(memory: *mut c_void) -> Self {
        Self(memory)
    }

    pub(crate) const fn as_ptr(&self) -> *mut c_void {
        self.0
    }

    /// Reads it as wide text.
    ///
    /// # Safety
    /// It is text with a zero at its end.
    pub(crate) unsafe fn text(&self) -> String {
        let start = self.0.cast::<u16>();
        let mut end = start;
        // SAFETY: the caller says that there is a zero, and nothing beyond it is read.
        while unsafe { end.read() } != 0 {
            // SAFETY: this one was not the last.
            end = unsafe { end.add(1) };
        }
        // SAFETY: both point into the same text.
        let length = unsafe { end.offset_from_unsigned(start) };
        // SAFETY: these were just read; the text lives as long as `self` and is nobody else's.
        String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(start, length) })
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: `own` demanded that it be ours to free, once; null is nothing.
        unsafe { LocalFree(self.0) };
    }
}
