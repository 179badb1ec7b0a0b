//! What a terminal can show.

/// Its size, and what it understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Its width.
    pub(crate) columns: usize,
    /// Its height.
    pub(crate) rows: usize,
    /// Whether it takes UTF-8.
    pub(crate) unicode: bool,
}

impl Look {
    /// Looks at the terminal that stderr is, by its size and the environment.
    pub(crate) fn of_stderr() -> Self {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
        // A serial line may not know: what terminals have had since they were made of glass.
        let or = |value: Option<u16>, usual: usize| value.map(usize::from).filter(|size| *size > 0).unwrap_or(usual);
        Self {
            columns: or(size.map(|size| size.ws_col), 80),
            rows: or(size.map(|size| size.ws_row), 24),
            unicode: is_utf8(|name| std::env::var(name).ok()),
        }
    }

    /// The first where there is Unicode, else the second.
    pub(crate) fn pick(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    #[cfg(test)]
    pub(crate) fn test(columns: usize, rows: usize) -> Self {
        Self { columns, rows, unicode: true }
    }
}

/// Whether the environment lets a terminal be drawn on: `TERM` says that it can, and nobody said that it should not
/// (<https://no-color.org>).
pub(crate) fn is_drawable(variable: impl Fn(&str) -> Option<String>) -> bool {
    let term = variable("TERM").unwrap_or_default();
    !(term.is_empty() || term == "dumb" || variable("NO_COLOR").is_some_and(|value| !value.is_empty()))
}

/// Whether the locale's encoding is UTF-8 (POSIX: `LC_ALL`, `LC_CTYPE`, `LANG`).
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
    let encoding = locale.split_once('.').map_or(locale.as_str(), |(_, encoding)| encoding).to_ascii_lowercase();
    encoding.starts_with("utf-8") || encoding.starts_with("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'v>(variables: &'v [(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<'v> {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_environment_says_what_may_be_drawn() {
        for (variables, drawable) in [
            (&[("TERM", "xterm-256color")][..], true),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], true),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], false),
            (&[("TERM", "dumb")], false),
            (&[("TERM", "")], false),
            (&[], false),
        ] {
            assert_eq!(is_drawable(with(variables)), drawable, "{variables:?}");
        }
    }

    #[test]
    fn the_locale_says_what_can_be_shown() {
        for (variables, utf8) in [
            (&[("LANG", "de_DE.UTF-8")][..], true),
            (&[("LC_CTYPE", "UTF-8")], true),
            (&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], false),
            (&[("LC_ALL", ""), ("LANG", "C.utf8")], true),
            (&[("LANG", "de_DE.ISO-8859-1@euro")], false),
            (&[("LANG", "de_DE.utf8@euro")], true),
            (&[], false),
        ] {
            assert_eq!(is_utf8(with(variables)), utf8, "{variables:?}");
        }
    }
}
