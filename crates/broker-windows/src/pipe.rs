//! Named pipes: opened without lending the client's identity, made for one user, and the processes at their ends.
#![expect(unsafe_code, reason = "std has no named pipes; tokio takes access lists as pointers, and names no processes")]

mod blocking;

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};

use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, HANDLE};
use windows_sys::Win32::Storage::FileSystem::SECURITY_IDENTIFICATION;
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, GetNamedPipeServerProcessId};
use windows_sys::core::BOOL;

pub use self::blocking::Blocking;
#[cfg(feature = "tokio")]
pub use self::nonblocking::{Maker, open};
use crate::win32::succeeded;

/// Returns whether opening a pipe failed because the server had no free instance at that moment: to be tried again.
pub fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed())
}

/// Returns the id of the process at the client's end of a server's pipe.
pub fn client_process(pipe: &impl AsHandle) -> io::Result<u32> {
    process(pipe, GetNamedPipeClientProcessId)
}

/// Returns the id of the process at the server's end of a client's pipe.
///
/// For people: the number may be another process's by now, or the pipe's handle. Whose the pipe is says
/// [`crate::security::of_pipe`].
pub fn server_process(pipe: &impl AsHandle) -> io::Result<u32> {
    process(pipe, GetNamedPipeServerProcessId)
}

fn process(pipe: &impl AsHandle, ask: unsafe extern "system" fn(HANDLE, *mut u32) -> BOOL) -> io::Result<u32> {
    let mut id = 0;
    // SAFETY: both functions take a handle, which is open, and write one number.
    succeeded(unsafe { ask(pipe.as_handle().as_raw_handle(), &raw mut id) })?;
    Ok(id)
}

#[cfg(feature = "tokio")]
mod nonblocking {
    use std::ffi::OsStr;
    use std::io;

    use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
    use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;

    use super::SECURITY_IDENTIFICATION;
    use crate::security::Descriptor;

    /// Opens a pipe for reading and writing; its server may learn who the client is, not act as the client.
    ///
    /// Must be called within a tokio runtime. See [`super::is_busy`].
    pub fn open(name: &OsStr) -> io::Result<NamedPipeClient> {
        ClientOptions::new().security_qos_flags(SECURITY_IDENTIFICATION).open(name)
    }

    /// Makes the server's instances of a pipe, all with one access list and for programs on this machine only.
    #[derive(Debug)]
    pub struct Maker {
        descriptor: Descriptor,
    }

    impl Maker {
        /// Returns a maker of pipes with this access list, in SDDL.
        pub fn new(sddl: &str) -> io::Result<Self> {
            Ok(Self { descriptor: Descriptor::parse(sddl)? })
        }

        /// Makes an instance, which waits for a client. Must be called within a tokio runtime.
        ///
        /// # Errors
        /// With `first`, `PermissionDenied` where there is a pipe of this name already, whosever it is.
        pub fn make(&self, name: &OsStr, first: bool) -> io::Result<NamedPipeServer> {
            let mut attributes = SECURITY_ATTRIBUTES {
                nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
                lpSecurityDescriptor: self.descriptor.as_ptr(),
                bInheritHandle: 0,
            };
            let mut options = ServerOptions::new();
            options.first_pipe_instance(first).reject_remote_clients(true);
            // SAFETY: it is a SECURITY_ATTRIBUTES, which with its descriptor outlives the call.
            unsafe { options.create_with_security_attributes_raw(name, (&raw mut attributes).cast()) }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "tokio")]
mod tests;
