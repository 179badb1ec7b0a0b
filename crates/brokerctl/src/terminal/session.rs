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

/// How often a keyboard is asked for keys that poll(2) tells nothing of: nobody notices, and it costs nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// The terminal, its keys and its signals, until it is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    look: Look,
    block: Block,
    keyboard: Keyboard,
    keys: Keys,
    signals: Signals,
    woken: UnixStream,
}

/// How one learns that there are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// poll(2) says so.
    Told,
    /// By asking for them, again and again: the poll(2) of macOS does not take `/dev/tty`.
    Asked,
    /// There are none any more.
    Gone,
}

impl Keys {
    /// What becomes of it by what poll(2) has said of the keyboard.
    fn after(self, events: PollFlags) -> Self {
        if events.intersects(PollFlags::ERR | PollFlags::HUP) {
            Self::Gone
        } else if events.contains(PollFlags::NVAL) {
            Self::Asked
        } else {
            self
        }
    }
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
            Self { look: Look::of_stderr(), block: Block::default(), keyboard, keys: Keys::Told, signals, woken };
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
        let mut left = at_most;
        loop {
            if let Some(signal) = self.signals.take() {
                return self.act(signal);
            }
            let may_be_pressed = self.poll(left);
            let woken = self.is_woken();
            if let Some(signal) = self.signals.take() {
                return self.act(signal);
            }
            if may_be_pressed && let Some(keys) = self.read() {
                return Input::Keys(keys);
            }
            if !self.keyboard.is_held() && self.keyboard.hold() {
                self.block.forget();
                return Input::Redraw;
            }
            left = left.saturating_sub(PAUSE);
            if woken || !self.asks() || left.is_zero() {
                return Input::Woken;
            }
        }
    }

    /// Returns the keys that were pressed, if any were.
    fn read(&mut self) -> Option<Vec<Key>> {
        match self.keyboard.read() {
            Ok(keys) => Some(keys).filter(|keys| !keys.is_empty()),
            // The terminal has gone, and its signal is on its way.
            Err(error) => {
                if error.kind() != ErrorKind::Interrupted {
                    self.keys = Keys::Gone;
                }
                None
            }
        }
    }

    /// Returns whether the waker was used since it was asked last.
    fn is_woken(&self) -> bool {
        let (mut bytes, mut woken) = ([0; 64], false);
        loop {
            match (&self.woken).read(&mut bytes) {
                Ok(count) if count > 0 => woken = true,
                // Its end means that nobody is left who could: whoever waits is to find that out.
                Ok(_) => return true,
                Err(_) => return woken,
            }
        }
    }

    /// Returns whether the keyboard has to be asked for its keys.
    fn asks(&self) -> bool {
        self.keys == Keys::Asked && self.keyboard.is_held()
    }

    /// Waits for keys, a signal or the waker, and returns whether there may be keys.
    fn poll(&mut self, at_most: Duration) -> bool {
        let mut sources = vec![PollFd::new(&self.woken, PollFlags::IN)];
        if self.keys == Keys::Told && self.keyboard.is_held() {
            sources.push(PollFd::new(&self.keyboard, PollFlags::IN));
        }
        let asked = self.asks();
        let limit = Timespec::try_from(if asked { at_most.min(PAUSE) } else { at_most }).ok();
        let ready = poll(&mut sources, limit.as_ref()).unwrap_or_default() > 0;
        let events = sources.get(1).map_or(PollFlags::empty(), PollFd::revents);
        self.keys = self.keys.after(events);
        asked || ready && events.contains(PollFlags::IN)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyboard_that_poll_does_not_take_is_asked_and_one_that_has_gone_is_not() {
        let (told, asked, gone) = (Keys::Told, Keys::Asked, Keys::Gone);
        assert_eq!(told.after(PollFlags::empty()), told);
        assert_eq!(told.after(PollFlags::IN), told);
        assert_eq!(told.after(PollFlags::NVAL), asked, "macOS, /dev/tty");
        assert_eq!(asked.after(PollFlags::empty()), asked, "not polled");
        assert_eq!(told.after(PollFlags::HUP | PollFlags::IN), gone);
        assert_eq!(told.after(PollFlags::ERR | PollFlags::NVAL), gone);
        assert_eq!(gone.after(PollFlags::empty()), gone);
    }
}
