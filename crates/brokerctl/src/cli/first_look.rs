//! A first look at the arguments, for `get-token` as scripts write it.
//!
//! Building the whole command line for clap costs more than all else that brokerctl does for a token at hand: over half of
//! its instructions and a third of its page faults. So the common form is read here. Whatever is not plainly that form is
//! left to clap: another command or option, help, a mistake, an option given twice, a value joined by `=`, an empty one.
//!
//! This may only ever say what clap says. A test holds both against each other.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum as _;

use super::{Cli, Command, GetToken, TokenFormat};
use crate::duration;

/// Reads `[--socket PATH] get-token [PROFILE] [OPTION]…`; `None` leaves it to clap. The program's name is not among `words`.
pub(super) fn look(words: impl IntoIterator<Item = OsString>) -> Option<Cli> {
    let mut words = words.into_iter().map(|word| word.into_string().ok());
    let mut socket = None;
    let mut word = words.next()??;
    if word == "--socket" {
        socket = Some(PathBuf::from(value(words.next()?)?));
        word = words.next()??;
    }
    if word != "get-token" {
        return None;
    }
    let mut options = GetToken::default();
    let mut output = None;
    while let Some(word) = words.next() {
        let word = word?;
        let ask = &mut options.ask;
        match word.as_str() {
            "-s" | "--scope" => ask.scopes.push(value(words.next()?)?),
            "-a" | "--account" => once(&mut ask.account, value(words.next()?)?)?,
            "--tenant" => once(&mut ask.tenant, value(words.next()?)?)?,
            "--resource" => once(&mut ask.resource, value(words.next()?)?)?,
            "--timeout" => once(&mut ask.timeout, duration::wait(&value(words.next()?)?).ok()?)?,
            "--min-validity" => once(&mut options.terms.min_validity, duration::parse(&value(words.next()?)?).ok()?)?,
            "-o" | "--output" => once(&mut output, TokenFormat::from_str(&value(words.next()?)?, false).ok()?)?,
            "--no-prompt" if !options.terms.no_prompt => options.terms.no_prompt = true,
            _ => once(&mut ask.profile, value(Some(word))?)?,
        }
    }
    options.output = output.unwrap_or_default();
    Some(Cli { socket, prompt: None, plain: false, command: Command::GetToken(options) })
}

/// Takes what can only be a value: not empty, and not like an option.
fn value(word: Option<String>) -> Option<String> {
    word.filter(|word| !word.is_empty() && !word.starts_with('-'))
}

/// Sets what may be given once.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use proptest::prelude::*;

    use super::*;

    /// As text, in which every field shows.
    fn looked(line: &[&str]) -> Option<String> {
        look(line.iter().map(OsString::from)).map(|cli| format!("{cli:?}"))
    }

    fn clap(line: &[&str]) -> Option<String> {
        Cli::try_parse_from(["brokerctl"].iter().chain(line)).ok().map(|cli| format!("{cli:?}"))
    }

    #[test]
    fn what_scripts_write_is_read_here() {
        for line in [
            "get-token",
            "get-token work --no-prompt",
            "--socket /s get-token -s User.Read --scope Mail.Read -a ada@example.com",
            "get-token --no-prompt -o header work",
            "get-token --output json --min-validity 5m --timeout 90 --tenant t --resource https://r.example",
        ] {
            let line: Vec<&str> = line.split(' ').collect();
            let cli = looked(&line);
            assert!(cli.is_some() && cli == clap(&line), "{line:?}: {cli:?}");
        }
    }

    #[test]
    fn all_else_is_left_to_clap() {
        for line in [
            "",
            "status",
            "get-token --help",
            "get-token -o yaml",
            "get-token --no-prompt --no-prompt",
            "get-token --timeout",
            "get-token --timeout soon",
            "get-token --timeout 25h",
            "get-token -a",
            "get-token work home",
            "get-token -- work",
            "get-token --account=ada",
            "get-token -sUser.Read",
            "get-token --force-refresh",
            "get-token --no-prompt --prompt-elsewhere",
        ] {
            let line: Vec<&str> = line.split(' ').collect();
            assert_eq!(looked(&line), None, "{line:?}");
        }
    }

    /// Words of the command line, and some that are none.
    fn word() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "get-token",
            "--socket",
            "-s",
            "--scope",
            "-a",
            "--account",
            "--tenant",
            "--resource",
            "--timeout",
            "--min-validity",
            "-o",
            "--output",
            "--no-prompt",
            "--prompt-elsewhere",
            "--force-refresh",
            "--rejected",
            "--claims",
            "--param",
            "--audience",
            "--plain",
            "--prompt",
            "--help",
            "-h",
            "-V",
            "help",
            "--",
            "-",
            "",
            "json",
            "token",
            "header",
            "JSON",
            "text",
            "5m",
            "0",
            "25h",
            "90",
            "90s",
            "soon",
            "work",
            "a b",
            "ü",
            "@file",
            "--socket=/s",
            "-ojson",
            "login",
            "-so",
        ]);
        prop_oneof![9 => known.prop_map(str::to_owned), 1 => "\\PC{0,4}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Most lines begin as the form does, or hardly any would be read here at all.
        #[test]
        fn it_says_what_clap_says(begins in any::<bool>(), words in prop::collection::vec(word(), 0..7)) {
            let line: Vec<&str> = begins.then_some("get-token").into_iter().chain(words.iter().map(String::as_str)).collect();
            if let Some(cli) = looked(&line) {
                prop_assert_eq!(clap(&line), Some(cli), "{:?}", line);
            }
        }
    }
}
