//! What a user sees of a mistake in this program: that it is one, and where to report it. The terminal is theirs again first.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use broker_client::{ErrorBody, ErrorCode};

use crate::failure::{Failure, Voice};

/// Runs `work`; a panic on any thread is told in one voice with other failures, and one on this thread ends it so too.
pub(crate) fn told(voice: Voice, work: impl FnOnce() -> ExitCode) -> ExitCode {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        #[cfg(unix)]
        crate::failure::say(crate::terminal::give_back());
        // Who wants a backtrace has said so. Where nothing unwinds there is none: packaging/dist leaves out the tables, and looking for
        // them would end the process before it has told.
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            if cfg!(panic = "abort") {
                crate::failure::say(&format!("{panic}\n"));
            } else {
                usual(panic);
            }
        }
        Failure::from(body(panic)).report(voice);
        if cfg!(panic = "abort") {
            #[expect(clippy::exit, reason = "nothing unwinds there, and it would end as if somebody had killed it")]
            std::process::exit(ErrorCode::Internal.exit_code().into());
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| ErrorCode::Internal.exit_code().into())
}

/// The place and nothing else: what a panic says may quote anything, and a token is something.
fn body(panic: &PanicHookInfo<'_>) -> ErrorBody {
    let place = panic.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    ErrorBody::new(ErrorCode::Internal, format!("a mistake in brokerctl{place}"))
        .with_hint("please report it; RUST_BACKTRACE=1 says more")
}
