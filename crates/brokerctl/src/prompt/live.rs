//! The prompt that lives: a thread that draws it while the main one waits for brokerd.

use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use broker_client::DevicePrompt;

use super::card::{self, Can, State};
use super::{Browser, Link, Notice, osc52};
use crate::clock::now;
use crate::terminal::{Input, Key, Session, Waker};

/// The thread's other end. Dropping it leaves the terminal as it was.
#[derive(Debug)]
pub(super) struct Live {
    tell: Option<Sender<Told>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Told {
    Away,
    Back,
    Prompt(Box<DevicePrompt>),
    SignedIn(String),
}

impl Live {
    /// Takes the terminal, unless it is not ours.
    pub(super) fn start() -> Option<Self> {
        let (session, waker) = Session::take()?;
        let (tell, told) = channel();
        let thread = thread::Builder::new().spawn(move || Screen::new(session, told).run()).ok()?;
        Some(Self { tell: Some(tell), waker, thread: Some(thread) })
    }

    pub(super) fn tell(&self, notice: Notice<'_>) {
        self.send(match notice {
            Notice::Prompt(prompt) => Told::Prompt(Box::new(prompt.clone())),
            Notice::Away => Told::Away,
            Notice::Back => Told::Back,
        });
    }

    /// Ends with who signed in.
    pub(super) fn end(self, who: &str) {
        self.send(Told::SignedIn(who.to_owned()));
    }

    fn send(&self, told: Told) {
        if let Some(tell) = &self.tell {
            // A screen that has gone has been told everything.
            drop(tell.send(told));
            self.waker.wake();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.tell = None;
        self.waker.wake();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// What the thread keeps.
struct Screen {
    session: Session,
    told: Receiver<Told>,
    asked: Option<Asked>,
    state: State,
    browser: Option<Browser>,
    /// A browser on its way up, or not.
    opening: Option<Child>,
}

/// The prompt on the screen.
struct Asked {
    prompt: Box<DevicePrompt>,
    link: Option<Link>,
    since: SystemTime,
}

impl Screen {
    fn new(session: Session, told: Receiver<Told>) -> Self {
        Self { session, told, asked: None, state: State::Waiting, browser: Browser::find(), opening: None }
    }

    /// Runs until it was told the end, or nobody is left to tell it.
    fn run(mut self) {
        loop {
            loop {
                use std::sync::mpsc::TryRecvError::{Disconnected, Empty};
                match self.told.try_recv() {
                    Ok(Told::SignedIn(who)) => {
                        let lines = card::ended(&who, self.session.look());
                        return self.session.print(&lines);
                    }
                    Ok(told) => self.hear(told),
                    Err(Empty) => break,
                    Err(Disconnected) => return,
                }
            }
            self.draw();
            match self.session.wait(self.until_next_second()) {
                Input::Keys(keys) => keys.into_iter().for_each(|key| self.press(key)),
                Input::Redraw | Input::Woken => {}
            }
            self.look_at_browser();
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Away => self.state = State::Away,
            Told::Back => self.state = State::Waiting,
            Told::Prompt(prompt) => {
                let lines = card::card(&prompt, self.session.look());
                self.session.print(&lines);
                let link = Link::of(&prompt);
                self.asked = Some(Asked { prompt, link, since: now() });
                self.state = State::Waiting;
            }
            Told::SignedIn(_) => {}
        }
    }

    fn draw(&mut self) {
        let left = self.asked.as_ref().map_or(Duration::MAX, Asked::left);
        let can = Can { open: self.browser.is_some() && self.asked.as_ref().is_some_and(|asked| asked.link.is_some()) };
        let lines = card::live(&self.state, left, can, self.session.look());
        self.session.draw(&lines);
    }

    fn press(&mut self, key: Key) {
        let Some(asked) = &self.asked else { return };
        match (key, &asked.link, &self.browser) {
            (Key::Enter, Some(link), Some(browser)) => match browser.open(link) {
                Ok(child) => (self.opening, self.state) = (Some(child), State::Opened),
                Err(_) => self.state = State::NotOpened,
            },
            (Key::Char('c' | 'C'), ..) => {
                Session::send(&osc52(&asked.prompt.user_code));
                self.state = State::Copied;
            }
            _ => {}
        }
    }

    /// A browser's starter ends soon; badly, if there is none.
    fn look_at_browser(&mut self) {
        let ended = self.opening.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if let Some(status) = ended {
            self.opening = None;
            if !status.success() {
                self.state = State::NotOpened;
            }
        }
    }

    fn until_next_second(&self) -> Duration {
        let left = self.asked.as_ref().map_or(Duration::ZERO, Asked::left);
        Duration::from_nanos(u64::from(left.subsec_nanos())) + Duration::from_millis(10)
    }
}

impl Asked {
    /// The time left by the wall clock, because the other one stops while a machine sleeps.
    fn left(&self) -> Duration {
        let life = Duration::from_secs(self.prompt.expires_in);
        life.saturating_sub(now().duration_since(self.since).unwrap_or_default())
    }
}
