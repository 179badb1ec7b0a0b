//! The keys of a console that mean every program there: Ctrl-C, Ctrl-Break, and its window's close.
#![expect(unsafe_code, reason = "std knows nothing of consoles, and tokio would be linked for one call")]

use std::io;
use std::time::Duration;

use windows_sys::Win32::Foundation::TRUE;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, GenerateConsoleCtrlEvent, SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use crate::win32::succeeded;

/// More than Windows leaves a process whose window closes (five seconds) or whose session ends (twenty): it has the last word. It ends
/// earlier where the process does.
const LONGEST_CLEANUP: Duration = Duration::from_secs(30);

/// Leaves the keys to the other programs of the console: from now on this process is not ended by them.
///
/// Programs that it starts are, unlike with `SetConsoleCtrlHandler(NULL, TRUE)`, which they would inherit.
pub fn leave_keys_to_others() -> io::Result<()> {
    // SAFETY: the handler is a function that is always there, and uses nothing but its argument.
    succeeded(unsafe { SetConsoleCtrlHandler(Some(pass_over), TRUE) })
}

/// Windows calls it on a thread made for it.
unsafe extern "system" fn pass_over(event: u32) -> BOOL {
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        // The process is ended when this returns. Until then it may clean up: the others are being ended too.
        std::thread::sleep(LONGEST_CLEANUP);
    }
    TRUE
}

/// Sends Ctrl-C to every program of this console, this one too, as its keyboard does. For tests.
pub fn press_ctrl_c() -> io::Result<()> {
    // SAFETY: it takes numbers.
    succeeded(unsafe { GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) })
}
