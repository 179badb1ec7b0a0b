//! The terminal while a command lives on it: a block of lines that is drawn again and again, keys, and signals.
//!
//! Nothing here runs before a command has something to show that changes. The keyboard is taken only where it is ours:
//! stderr is a terminal, it is this process's own, this process is in its foreground, and nobody else reads keys there.
//! However it ends, the terminal is as it was: by [`Drop`], by [`give_back`] where a panic is told, which may not unwind, and
//! before each signal that ends or stops the process.

mod block;
mod keyboard;
mod keys;
mod look;
mod session;
mod signals;
mod text;

pub(crate) use self::keys::Key;
pub(crate) use self::look::Look;
pub(crate) use self::session::{Input, Session, Waker, give_back, start_of_line};
pub(crate) use self::signals::{Signal, Signals, end, heeded, leave_to_others, stop};
pub(crate) use self::text::{Line, Style, wrap};
