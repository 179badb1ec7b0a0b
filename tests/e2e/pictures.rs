//! Do the pictures in the documentation show what a terminal shows? `just pictures` draws them anew.
//!
//! Each is a screen of a real terminal in which the real programs ran, with two things replaced: the home directory of the
//! test, and the port of its server. Colours come from the terminal's own palette.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anstyle_svg::Term;
use anyhow::{Context as _, Result};

use crate::real_terminal::code;
use crate::real_terminal::tmux::Terminal;
use crate::stage::{Stage, prompted};

/// Set, the pictures are written instead of looked at.
const WRITE: &str = "BROKERD_WRITE_PICTURES";

/// A block of the QR code is as high as a line, and white on black is too hard on the eyes.
const DARK: Look = [
    ("font: 14px", "font: 15.4px"),
    (".fg { fill: #AAAAAA }", ".fg { fill: #D8DBE2 }"),
    (".bg { fill: #000000 }", ".bg { fill: #1D2026 }"),
];
/// The same screen on a light background: the programs do not know which it is.
const LIGHT: Look = [
    ("font: 14px", "font: 15.4px"),
    (".fg { fill: #AAAAAA }", ".fg { fill: #24292E }"),
    (".bg { fill: #000000 }", ".bg { fill: #F1EFE7 }"),
];

/// What the drawing has, and what is put there.
type Look = [(&'static str, &'static str); 3];

#[tokio::test]
async fn pictures_show_what_the_terminal_shows() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("pictures_show", &stage.home, 100, 28).await? else { return Ok(()) };
    let album = Album { stage: &stage, terminal: &terminal };
    let _daemon = stage.daemon().await;

    album.type_in("brokerctl get-token work >token").await?;
    let screen = terminal.until(|screen| code(screen).is_some() && screen.contains("Waiting for you, 14:5")).await;
    let code = code(&screen).context("just seen")?;
    album.take("prompt")?;
    album.draw("prompt-light", &LIGHT)?;

    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("signed in as ")).await;
    terminal.resize(130, 28)?; // no line is broken
    for (command, end, name) in [
        ("get-token work >token && echo 'a token, and nobody was asked'", "asked\n", "silent"),
        ("status", "work", "status"),
        ("doctor", "clock", "doctor"),
    ] {
        album.type_in(&format!("brokerctl {command}")).await?;
        terminal.until(|screen| screen.contains(end) && screen.trim_end().ends_with("\n$")).await;
        album.take(name)?;
    }

    terminal.resize(100, 28)?;
    let mut asked = stage.spawn("get-token work --scope mail.read");
    let code = prompted(&mut asked).await;
    album.type_in("brokerctl watch").await?;
    terminal.until(|screen| screen.contains(&code) && screen.contains("q: leave")).await;
    album.take("watch")
}

struct Album<'a> {
    stage: &'a Stage,
    terminal: &'a Terminal,
}

impl Album<'_> {
    /// Types a line on an empty screen.
    async fn type_in(&self, line: &str) -> Result<()> {
        self.terminal.line("clear")?;
        self.terminal.until(|screen| screen.trim() == "$").await;
        self.terminal.line(line)
    }

    /// Without the home directory and the port of this test. The port is as wide as the one it stands for: columns stay.
    fn neutral(&self, screen: &str) -> Result<String> {
        let home = self.stage.home.path().display().to_string();
        let port = self.stage.server.issuer();
        let port = port.rsplit(':').next().context("a port")?;
        Ok(screen.replace(&home, "/home/alice").replace(port, "18443"))
    }

    fn take(&self, name: &str) -> Result<()> {
        self.draw(name, &DARK)
    }

    /// Draws what is on the screen, and writes that or holds it against the picture there is.
    fn draw(&self, name: &str, look: &Look) -> Result<()> {
        let screen = self.neutral(&self.terminal.screen_in_colour()?)?;
        let plain = self.neutral(&self.terminal.screen()?)?;
        let widest = plain.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or_default();
        let mut picture = Term::new().min_width_px(940.max(20 + widest * 93 / 10)).render_svg(screen.trim_end());
        for (drawn, wanted) in look {
            assert!(picture.contains(drawn), "{drawn}");
            picture = picture.replace(drawn, wanted);
        }
        let file = place(name);
        if env::var_os(WRITE).is_some() {
            fs::create_dir_all(file.parent().context("a directory")?)?;
            return Ok(fs::write(file, picture)?);
        }
        let known = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        assert_eq!(words(&picture), words(&known), "{name}.svg shows what was: run `just pictures`");
        Ok(())
    }
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures").join(name).with_extension("svg")
}

/// The words in a picture, without what differs each time: numbers, codes, and the squares of the QR code.
fn words(picture: &str) -> Vec<String> {
    let text =
        picture.split('<').filter_map(|tag| tag.split_once('>')).map(|(_, text)| text).collect::<Vec<_>>().join(" ");
    let told = |word: &&str| word.chars().any(char::is_lowercase) && !word.chars().any(|char| char.is_ascii_digit());
    text.split_whitespace().filter(told).map(str::to_owned).collect()
}
