//! Man pages: one for each program and each command of it, git's way, such as `brokerctl-get-token(1)`.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// A section of a page that no argument tells of: a heading, and its terms.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const BROKERD: &[Section] = &[
    (
        "ENVIRONMENT",
        &[
            ("BROKERD_CONFIG", "The configuration, instead of the default one."),
            ("BROKERD_SOCKET", "Where to listen, instead of the default place."),
            ("BROKERD_LOG", "What is logged, such as debug or warn,brokerd=debug; info by default."),
            ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "The proxy, for profiles that name none."),
        ],
    ),
    (
        "FILES",
        &[
            ("$XDG_CONFIG_HOME/brokerd/config.toml", "The configuration; ~/.config where the variable is not set."),
            (
                "$XDG_STATE_HOME/brokerd/",
                "Which accounts there are, and no secret; ~/.local/state where it is not set.",
            ),
            ("$XDG_RUNTIME_DIR/brokerd/brokerd.sock", "The endpoint, which nobody but the user may open."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "It was asked to leave, and has."),
            ("6", "The configuration, or the place to listen at, must be changed first."),
            ("1", "Anything else."),
        ],
    ),
];

const BROKERCTL: &[Section] = &[(
    "ENVIRONMENT",
    &[
        ("BROKERD_SOCKET", "The daemon's socket, instead of the default one."),
        ("BROKERCTL_PROMPT", "How a sign-in is asked for; --prompt has the words."),
    ],
)];

/// Writes the pages of a program.
pub(crate) fn write(mut program: Command, date: &str, directory: &Path) -> anyhow::Result<()> {
    program = program.disable_help_subcommand(true);
    program.build();
    pages(&program, program.get_version().unwrap_or_default(), date, directory)
}

fn pages(command: &Command, version: &str, date: &str, directory: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(date)
        .source(format!("brokerd {version}"))
        .manual("OAuth token broker");
    let file = directory.join(man.get_filename());
    fs::write(&file, page(&man, command)?).with_context(|| file.display().to_string())?;
    let mut commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    commands.try_for_each(|command| pages(command, version, date, directory))
}

fn page(man: &Man, command: &Command) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    // Two breaks in a row are none to mandoc, which says so.
    text.extend(String::from_utf8(options)?.replace(".br\n\n.br\n", ".sp\n").bytes());
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    let mut rest = Roff::default();
    if let Some(help) = command.get_after_help() {
        as_it_stands(&mut rest, &help.to_string());
    }
    let (sections, others): (_, &[&str]) = match command.get_display_name().unwrap_or(command.get_name()) {
        "brokerd" => (BROKERD, &["brokerctl"]),
        "brokerctl" => (BROKERCTL, &["brokerd"]),
        _ => (&[][..], &["brokerctl", "brokerd"]),
    };
    for section in sections {
        terms(&mut rest, section);
    }
    rest.control("SH", ["SEE ALSO"]);
    for other in others {
        rest.text([bold(*other), roman("(1),")]);
    }
    rest.text([roman("/usr/share/doc/brokerd/")]);
    rest.to_writer(&mut text)?;
    Ok(text)
}

/// The end of `--help`: headings at the margin, and below them lines whose columns count.
fn as_it_stands(page: &mut Roff, help: &str) {
    let mut open = false;
    for line in help.lines() {
        match line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            Some(heading) => {
                close(page, open);
                page.control("SH", [heading.to_uppercase().as_str()]).control("EX", []);
                open = true;
            }
            None => {
                page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
        }
    }
    close(page, open);
}

fn close(page: &mut Roff, open: bool) {
    if open {
        page.control("EE", []);
    }
}

fn terms(page: &mut Roff, (heading, terms): &Section) {
    page.control("SH", [*heading]);
    for (term, text) in *terms {
        page.control("TP", []).text([bold(*term)]).text([roman(*text)]);
    }
}
