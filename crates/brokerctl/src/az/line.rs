//! A command line of `az` or `azd`, read loosely: they have many options, and most do not matter here.

/// The words before the first option, and the options with their values.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    options: Vec<(String, Vec<String>)>,
}

impl Line {
    pub(super) fn parse(arguments: &[String]) -> Self {
        let mut line = Self::default();
        for argument in arguments {
            if let Some((name, value)) = argument.split_once('=').filter(|(name, _)| name.starts_with("--")) {
                line.options.push((name.to_owned(), vec![value.to_owned()]));
            } else if argument.starts_with('-') {
                line.options.push((argument.clone(), Vec::new()));
            } else if let Some((_, values)) = line.options.last_mut() {
                values.push(argument.clone());
            } else {
                line.words.push(argument.clone());
            }
        }
        line
    }

    /// The value of an option, the last one where it stands twice.
    pub(super) fn one(&self, name: &str) -> Option<String> {
        self.all(name).pop()
    }

    /// All its values: `--scope a b` and `--scope a --scope b` are the same.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let named = self.options.iter().filter(|(option, _)| option == name);
        named.flat_map(|(_, values)| values.iter()).filter(|value| !value.is_empty()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_all_their_spellings() {
        let arguments = "account get-access-token -o json --scope a b --tenant=t --only-show-errors --scope c";
        let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        let line = Line::parse(&arguments);
        assert_eq!(line.words, ["account", "get-access-token"]);
        assert_eq!(line.all("--scope"), ["a", "b", "c"]);
        assert_eq!((line.one("--tenant").as_deref(), line.one("-o").as_deref()), (Some("t"), Some("json")));
        assert_eq!(line.one("--only-show-errors"), None);
    }
}
