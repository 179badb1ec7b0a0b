//! A client's pipe for programs without a runtime, each of whose reads and writes ends by a limit.
//!
//! A pipe knows no time limits, so each operation is started (overlapped), waited for, and cancelled when its time is up. It is
//! over in any case before the function returns, because until then the kernel may write to the buffer.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED, HANDLE, WAIT_FAILED,
    WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, ReadFile, SECURITY_IDENTIFICATION, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, WaitForSingleObject};
use windows_sys::core::BOOL;

use crate::win32::succeeded;

/// A client's end of a pipe.
#[derive(Debug)]
pub struct Blocking {
    file: File,
    /// Set when an operation is over. One suffices: operations are made one after the other.
    over: OwnedHandle,
}

impl Blocking {
    /// Opens a pipe for reading and writing; its server may learn who the client is, not act as the client.
    ///
    /// See [`super::is_busy`].
    pub fn open(name: &OsStr) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(FILE_FLAG_OVERLAPPED)
            .security_qos_flags(SECURITY_IDENTIFICATION)
            .open(name)?;
        // SAFETY: an event without a name and with the default access list; it returns a handle or null.
        let over = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if over.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it is open, and nobody else has it.
        Ok(Self { file, over: unsafe { OwnedHandle::from_raw_handle(over) } })
    }

    /// Reads some bytes; none at the end, when the server has closed the pipe.
    ///
    /// # Errors
    /// `TimedOut` when nothing came within `limit`; `None` is for ever.
    pub fn read(&mut self, buffer: &mut [u8], limit: Option<Duration>) -> io::Result<usize> {
        const NO_MORE: [u32; 2] = [ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED];
        let (start, length) = (buffer.as_mut_ptr(), length(buffer));
        let read = self.perform(limit, &|pipe, operation| {
            // SAFETY: the buffer is this long and borrowed until `perform` returns, when the operation is over.
            unsafe { ReadFile(pipe, start, length, ptr::null_mut(), operation) }
        });
        match read {
            Err(error) if NO_MORE.iter().any(|code| error.raw_os_error() == Some(code.cast_signed())) => Ok(0),
            read => read,
        }
    }

    /// Writes some bytes.
    ///
    /// # Errors
    /// `TimedOut` when none were taken within `limit`; `None` is for ever.
    pub fn write(&mut self, buffer: &[u8], limit: Option<Duration>) -> io::Result<usize> {
        let (start, length) = (buffer.as_ptr(), length(buffer));
        self.perform(limit, &|pipe, operation| {
            // SAFETY: as for reading.
            unsafe { WriteFile(pipe, start, length, ptr::null_mut(), operation) }
        })
    }

    /// Starts an operation and sees it to its end; returns how many bytes went through.
    fn perform(
        &mut self,
        limit: Option<Duration>,
        start: &dyn Fn(HANDLE, *mut OVERLAPPED) -> BOOL,
    ) -> io::Result<usize> {
        let pipe = self.file.as_raw_handle();
        let mut operation = OVERLAPPED { hEvent: self.over.as_raw_handle(), ..OVERLAPPED::default() };
        let operation = &raw mut operation;
        let mut late = false;
        if let Err(error) = succeeded(start(pipe, operation)) {
            if error.raw_os_error() != Some(ERROR_IO_PENDING.cast_signed()) {
                return Err(error);
            }
            late = !self.wait(limit);
            if late {
                // Fails where the operation has just ended; that is seen below.
                // SAFETY: the operation was started on this handle.
                unsafe { CancelIoEx(pipe, operation) };
            }
        }
        let mut count = 0;
        // Waits for the end, which is near: it has happened, or was asked for.
        // SAFETY: the operation was started on this handle; its memory is this function's.
        let ended = succeeded(unsafe { GetOverlappedResult(pipe, operation, &raw mut count, 1) });
        match ended {
            Ok(()) => Ok(usize::try_from(count).unwrap_or_default()),
            Err(error) if late && error.raw_os_error() == Some(ERROR_OPERATION_ABORTED.cast_signed()) => {
                Err(io::ErrorKind::TimedOut.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until the operation is over, or returns false.
    fn wait(&self, limit: Option<Duration>) -> bool {
        // One less than for ever is seven weeks.
        let longest = u128::from(INFINITE - 1);
        let milliseconds = limit.map_or(INFINITE, |limit| {
            // Upwards: a wait of no time at all would only look.
            let rounded = limit.as_micros().div_ceil(1000).min(longest);
            u32::try_from(rounded).unwrap_or(INFINITE - 1)
        });
        // SAFETY: the event is open.
        let answer = unsafe { WaitForSingleObject(self.over.as_raw_handle(), milliseconds) };
        answer != WAIT_TIMEOUT && answer != WAIT_FAILED
    }
}

impl AsHandle for Blocking {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.file.as_handle()
    }
}

/// What of a buffer can go through at once.
fn length(buffer: &[u8]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}
