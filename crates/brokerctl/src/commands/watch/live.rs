//! `watch` on a terminal: the list, and keys for what is chosen in it.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use broker_client::blocking::Client;
use broker_client::{ClientError, Endpoint, Event};

use super::list::List;
use crate::clock::now;
use crate::commands::status::PATIENCE;
use crate::prompt::{Browser, Link, osc52};
use crate::terminal::{Input, Key, Session, Waker};

/// How long to leave a daemon alone that is away.
const PAUSE: Duration = Duration::from_secs(1);

enum News {
    Away(String),
    Connected,
    Event(Event),
}

/// Shows what happens until the user has seen enough.
pub(super) fn run(client: Client, (mut session, waker): (Session, Waker)) {
    let (send, news) = channel();
    let endpoint = client.endpoint().clone();
    // It listens apart from the drawing, and ends with the process.
    if thread::Builder::new().spawn(move || listen(&endpoint, &send, &waker)).is_err() {
        return;
    }
    let client = client.with_call_timeout(PATIENCE);
    let browser = Browser::find();
    let mut list = List::default();
    loop {
        for news in news.try_iter() {
            match news {
                News::Away(why) => list.away = Some(why),
                News::Connected => list.connected(),
                News::Event(event) => list.hear(event, now()),
            }
        }
        let lines = list.lines(now(), session.look());
        session.draw(&lines);
        let Input::Keys(keys) = session.wait(PAUSE) else { continue };
        for key in keys {
            match key {
                Key::Char('q' | 'Q') | Key::Escape => return,
                Key::Down | Key::Char('j') => list.move_by(true),
                Key::Up | Key::Char('k') => list.move_by(false),
                key => act(key, &client, browser.as_ref(), &mut list),
            }
        }
    }
}

/// Does what a key says with the prompt that is chosen.
fn act(key: Key, client: &Client, browser: Option<&Browser>, list: &mut List) {
    let Some(prompt) = list.chosen().cloned() else { return };
    let done = match key {
        Key::Char('c' | 'C') => {
            Session::send(&osc52(&prompt.user_code));
            Ok("Code copied, if this terminal lets it.".to_owned())
        }
        Key::Char('x' | 'X') => match client.cancel_prompt(&prompt.id) {
            Ok(()) => Ok("Cancelled.".to_owned()),
            Err(error) => Err(format!("Not cancelled: {error}.")),
        },
        Key::Enter => open(browser, Link::of(&prompt).as_ref()).map(str::to_owned).map_err(str::to_owned),
        _ => return,
    };
    list.done = Some(done);
}

/// Opens a page and says what came of it.
fn open(browser: Option<&Browser>, link: Option<&Link>) -> Result<&'static str, &'static str> {
    match (browser, link) {
        (None, _) => Err("There is no browser here: open the page on another device."),
        (_, None) => Err("There is no page to open."),
        (Some(browser), Some(link)) => match browser.open(link) {
            Ok(_) => Ok("Page opened."),
            Err(_) => Err("No browser came up: open the page yourself."),
        },
    }
}

/// Passes events on for as long as anybody listens; a daemon that went away is asked again.
fn listen(endpoint: &Endpoint, send: &Sender<News>, waker: &Waker) {
    let tell = |news| {
        let heard = send.send(news).is_ok();
        waker.wake();
        heard
    };
    loop {
        let client = Client::new(endpoint.clone()).with_call_timeout(PATIENCE);
        let why = match client.events() {
            Ok(events) => {
                if !tell(News::Connected) {
                    return;
                }
                let mut why = "brokerd has left; waiting for it to come back".to_owned();
                for event in events {
                    match event {
                        Ok(event) => {
                            if !tell(News::Event(event)) {
                                return;
                            }
                        }
                        Err(error) => why = text(&error),
                    }
                }
                why
            }
            Err(error) => text(&error),
        };
        if !tell(News::Away(why)) {
            return;
        }
        thread::sleep(PAUSE);
    }
}

fn text(error: &ClientError) -> String {
    format!("{error}; waiting for it")
}
