//! One command's time on the terminal.

use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::block::{self, Block};
use super::keyboard::{self, Keyboard};
use super::signals::{self, Signal, Signals};
use super::{Key, Line, Look, look};

/// The terminal, its keys and its signals, until it is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    look: Look,
    block: Block,
    keyboard: Keyboard,
    /// Whether the keyboard still gives anything.
    has_keys: bool,
    signals: Signals,
    woken: UnixStream,
}

/// Why [`Session::wait`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Keys were pressed.
    Keys(Vec<Key>),
    /// The size or the screen has changed: draw again.
    Redraw,
    /// Somebody has something to say, or the time is over.
    Woken,
}

/// Wakes a session that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<UnixStream>);

impl Waker {
    pub(crate) fn wake(&self) {
        // Full is as good as woken; gone, there is nobody to wake.
        drop((&*self.0).write(&[0]));
    }
}

impl Session {
    /// Takes the terminal; `None` where it cannot be drawn on, or its keyboard is not ours.
    pub(crate) fn take() -> Option<(Self, Waker)> {
        if !io::stderr().is_terminal() || !look::is_drawable(|name| std::env::var(name).ok()) {
            return None;
        }
        let keyboard = Keyboard::take()?;
        let (woken, wake) = UnixStream::pair().ok()?;
        woken.set_nonblocking(true).ok()?;
        wake.set_nonblocking(true).ok()?;
        let signals = Signals::watch(&wake).ok()?;
        let session =
            Self { look: Look::of_stderr(), block: Block::default(), keyboard, has_keys: true, signals, woken };
        Some((session, Waker(Arc::new(wake))))
    }

    pub(crate) fn look(&self) -> &Look {
        &self.look
    }

    /// Draws the block, where the last one was. In the background it draws nothing.
    pub(crate) fn draw(&mut self, lines: &[Line]) {
        if self.keyboard.is_held()
            && let Some(text) = self.block.draw(lines, &self.look)
        {
            write(&text);
        }
    }

    /// Sends a control sequence that shows nothing, and leaves what is drawn alone.
    pub(crate) fn send(sequence: &str) {
        write(sequence);
    }

    /// Writes lines that stay, in the place of the block.
    pub(crate) fn print(&mut self, lines: &[Line]) {
        let mut text = self.block.erase().to_owned();
        for line in lines {
            text.push_str(&line.render(&self.look));
            text.push_str("\r\n");
        }
        write(&text);
    }

    /// Waits for a key, a signal or the waker, at most so long. A signal that ends the process does.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Input {
        if let Some(signal) = self.signals.take() {
            return self.act(signal);
        }
        let keys = self.poll(at_most);
        let mut bytes = [0; 64];
        while (&self.woken).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        if let Some(signal) = self.signals.take() {
            return self.act(signal);
        }
        if keys {
            match self.keyboard.read() {
                Ok(keys) if !keys.is_empty() => return Input::Keys(keys),
                Ok(_) => {}
                // The terminal has gone, and its signal is on its way.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.has_keys = false,
            }
        }
        if !self.keyboard.is_held() && self.keyboard.hold() {
            self.block.forget();
            return Input::Redraw;
        }
        Input::Woken
    }

    /// Returns whether there are keys.
    fn poll(&mut self, at_most: Duration) -> bool {
        let mut sources = vec![PollFd::new(&self.woken, PollFlags::IN)];
        if self.has_keys && self.keyboard.is_held() {
            sources.push(PollFd::new(&self.keyboard, PollFlags::IN));
        }
        let limit = Timespec::try_from(at_most).ok();
        let ready = poll(&mut sources, limit.as_ref()).unwrap_or_default() > 0;
        let events = sources.get(1).map_or(PollFlags::empty(), PollFd::revents);
        if events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
            self.has_keys = false;
        }
        ready && events.contains(PollFlags::IN)
    }

    fn act(&mut self, signal: Signal) -> Input {
        match signal {
            Signal::Resized => self.look = Look::of_stderr(),
            Signal::Stop => {
                self.leave();
                signals::stop();
                self.look = Look::of_stderr();
                self.keyboard.hold();
            }
            // It was stopped without being asked (SIGSTOP), and whoever did that has set the terminal since.
            Signal::Continued => {
                self.look = Look::of_stderr();
                self.keyboard.hold();
            }
            Signal::End(signal) => {
                self.leave();
                signals::end(signal);
            }
        }
        self.block.forget();
        Input::Redraw
    }

    /// Leaves the terminal as it was.
    fn leave(&mut self) {
        if self.keyboard.is_held() {
            write(self.block.erase());
        }
        self.keyboard.release();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Gives the terminal back as it was, for a panic, and returns what goes before its lines: it erases what is drawn.
pub(crate) fn give_back() -> &'static str {
    if keyboard::give_back() { block::ERASE } else { "" }
}

/// Returns what goes before lines on a terminal that another process may be drawing on: it erases what stands there.
pub(crate) fn start_of_line() -> &'static str {
    let drawable = io::stderr().is_terminal() && look::is_drawable(|name| std::env::var(name).ok());
    if drawable { block::ERASE } else { "" }
}

/// Writes to the terminal at once; when it has gone there is nowhere else to say so.
fn write(text: &str) {
    if !text.is_empty() {
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }
}
