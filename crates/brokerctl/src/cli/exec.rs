//! What a command is run with.

use std::ffi::OsString;

use clap::{ArgGroup, Args};

use super::{Ask, Terms};

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("with").required(true).multiple(true))]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// An environment variable with the token in it; NAME=PROFILE or NAME=PROFILE:SCOPES for another token; may be repeated
    #[arg(long = "env", value_name = "NAME[=PROFILE[:SCOPES]]", value_parser = variable, group = "with")]
    pub(crate) variables: Vec<Variable>,
    /// A managed identity of Azure App Service, for the Azure SDKs
    #[arg(long, group = "with")]
    pub(crate) azure: bool,
    /// The metadata server of Google Compute Engine, for Google's SDKs
    #[arg(long, group = "with")]
    pub(crate) gcp: bool,
    /// A file with the token, kept fresh; its path is in this variable [default: `BEARER_TOKEN_FILE`]
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "BEARER_TOKEN_FILE",
        value_parser = name,
        group = "with"
    )]
    pub(crate) token_file: Option<String>,
    #[command(flatten)]
    pub(crate) terms: Terms,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

impl Exec {
    /// Says which arguments would be for no token at all, because each variable names its own profile.
    pub(super) fn unused(&self) -> Option<String> {
        let has_own = self.azure || self.gcp || self.token_file.is_some();
        if has_own || self.variables.iter().any(|variable| variable.profile.is_none()) {
            return None;
        }
        let given = self.ask.for_one_token();
        (!given.is_empty()).then(|| {
            let given = given.join(", ");
            format!("{given}: for no token, as each --env names its own profile; its scopes are NAME=PROFILE:SCOPES")
        })
    }
}

/// `--env`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Another profile than the command line's, and its scopes.
    pub(crate) profile: Option<(String, Vec<String>)>,
}

fn variable(text: &str) -> Result<Variable, String> {
    let (name_, token) = text.split_once('=').map_or((text, None), |(name, token)| (name, Some(token)));
    let profile = token.map(|token| {
        // A profile's name has no colon; a scope may have several.
        let (profile, scopes) = token.split_once(':').unwrap_or((token, ""));
        (profile.to_owned(), scopes.split_whitespace().map(str::to_owned).collect())
    });
    if profile.as_ref().is_some_and(|(profile, _)| profile.is_empty()) {
        return Err("there is no profile after the '='".to_owned());
    }
    Ok(Variable { name: name(name_)?, profile })
}

fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.is_empty() || text.starts_with(|first: char| first.is_ascii_digit()) || !text.bytes().all(plain) {
        return Err("no name for an environment variable".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_may_name_another_profile_and_its_scopes() {
        let read = |text| variable(text).map(|variable| (variable.name, variable.profile));
        let other = |profile: &str, scopes: &[&str]| {
            Some((profile.to_owned(), scopes.iter().map(|s| (*s).to_owned()).collect()))
        };
        assert_eq!(read("TOKEN"), Ok(("TOKEN".into(), None)));
        assert_eq!(read("GH_TOKEN=github"), Ok(("GH_TOKEN".into(), other("github", &[]))));
        let scoped = read("T=work:api://x/.default read:org");
        assert_eq!(scoped, Ok(("T".into(), other("work", &["api://x/.default", "read:org"]))));
        for bad in ["", "=work", "T=", "T=:x", "1T", "A-B", "A B=work"] {
            assert!(variable(bad).is_err(), "{bad:?}");
        }
    }
}
