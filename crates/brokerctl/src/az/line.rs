//! A command line of `az` or `azd`: its words, and the options that are known here. One that is not may ask for anything, another's
//! token or help: such a line is left to the program itself.

use std::ffi::OsString;

/// An option's names, the first of them ours, and what it takes.
pub(super) type Known = (&'static [&'static str], Takes);

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    One,
    /// All up to the next option, as `az` reads `--scope`.
    Many,
}

/// The words, and the options with their values.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    options: Vec<(&'static str, String)>,
}

impl Line {
    /// Reads a line that has the options of `known`; none if there is anything else in it.
    pub(super) fn parse(arguments: &[OsString], known: &[Known]) -> Option<Self> {
        let mut line = Self::default();
        let mut arguments = arguments.iter().map(|argument| argument.to_str());
        let mut last = None;
        while let Some(argument) = arguments.next() {
            let argument = argument?;
            if !argument.starts_with('-') {
                match last {
                    Some(name) => line.options.push((name, argument.to_owned())),
                    None => line.words.push(argument.to_owned()),
                }
                continue;
            }
            let ((names, takes), joined) = find(argument, known)?;
            last = None;
            match (takes, joined) {
                (Takes::Nothing, None) => line.options.push((names[0], String::new())),
                (Takes::Nothing, Some(_)) => return None,
                (Takes::One, None) => line.options.push((names[0], arguments.next()??.to_owned())),
                (Takes::Many, None) => last = Some(names[0]),
                (Takes::One | Takes::Many, Some(value)) => line.options.push((names[0], value.to_owned())),
            }
        }
        Some(line)
    }

    /// Whether an option stands there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// The value of an option, the last one where it stands twice.
    pub(super) fn one(&self, name: &str) -> Option<String> {
        self.all(name).pop()
    }

    /// All its values: `--scope a b` and `--scope a --scope b` are the same.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let named = self.options.iter().filter(|(option, _)| *option == name);
        named.map(|(_, value)| value).filter(|value| !value.is_empty()).cloned().collect()
    }
}

/// Finds an option, and the value that is joined to it: `--output=tsv`, `-o=tsv` or `-otsv`.
fn find<'a>(argument: &'a str, known: &[Known]) -> Option<(Known, Option<&'a str>)> {
    let named = |name: &str| known.iter().find(|(names, _)| names.contains(&name)).copied();
    if let Some(known) = named(argument) {
        return Some((known, None));
    }
    if let Some((name, value)) = argument.split_once('=')
        && let Some(known) = named(name)
    {
        return Some((known, Some(value)));
    }
    // One letter, and the value behind it.
    let (name, value) = argument.split_at_checked(2).filter(|(name, _)| !name.starts_with("--"))?;
    named(name).map(|known| (known, Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Known] = &[
        (&["--output", "-o"], Takes::One),
        (&["--scope"], Takes::Many),
        (&["--tenant", "-t"], Takes::One),
        (&["--only-show-errors"], Takes::Nothing),
    ];

    fn read(line: &str) -> Option<Line> {
        Line::parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>(), KNOWN)
    }

    #[test]
    fn options_are_read_in_all_their_spellings() {
        let line =
            read("account get-access-token -o json --scope a b --tenant=t --only-show-errors --scope c").unwrap();
        assert_eq!(line.words, ["account", "get-access-token"]);
        assert_eq!(line.all("--scope"), ["a", "b", "c"]);
        assert_eq!((line.one("--tenant").as_deref(), line.one("--output").as_deref()), (Some("t"), Some("json")));
        assert_eq!((line.one("--only-show-errors"), line.has("--only-show-errors")), (None, true));
        for glued in ["-otsv", "-o=tsv", "--output=tsv", "-o tsv", "-o json -o tsv"] {
            assert_eq!(read(glued).unwrap().one("--output").as_deref(), Some("tsv"), "{glued}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_read() {
        for line in ["--help", "-h", "version --name x", "-s x", "--outputs json", "-o", "--only-show-errors=1", "- x"]
        {
            assert!(read(line).is_none(), "{line}");
        }
        #[cfg(unix)]
        {
            let odd = std::os::unix::ffi::OsStringExt::from_vec(b"\xff".to_vec());
            assert!(Line::parse(&[odd], KNOWN).is_none(), "no text");
        }
    }
}
