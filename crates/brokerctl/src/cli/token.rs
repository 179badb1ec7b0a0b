//! What a token or a sign-in is asked for.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::Plain;
use crate::duration;

/// What a token or a sign-in is asked for.
#[derive(Args, Debug, Default)]
pub(crate) struct Ask {
    /// A profile of the configuration, instead of the default one
    pub(crate) profile: Option<String>,
    /// A scope, instead of the profile's own; may be repeated
    #[arg(short, long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The account: its username or id
    #[arg(short, long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// A claims challenge to satisfy
    #[arg(long, value_name = "JSON", value_parser = claims)]
    pub(crate) claims: Option<Map<String, Value>>,
    /// Another tenant of the same account (Entra)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// A resource indicator (RFC 8707)
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// An audience, for providers that take one
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// A parameter for the provider that brokerd does not know, such as `prompt=login`; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    pub(crate) params: Vec<(String, String)>,
    /// How long to wait, a day at most: 90s, 5m, 2h or seconds [default: 60s; with a prompt, the code's life]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = duration::wait)]
    pub(crate) timeout: Option<Duration>,
}

impl Ask {
    /// The names of those given that are about one token; the time to wait is about any.
    pub(super) fn for_one_token(&self) -> Vec<&'static str> {
        let given = [
            ("[PROFILE]", self.profile.is_some()),
            ("--scope", !self.scopes.is_empty()),
            ("--account", self.account.is_some()),
            ("--claims", self.claims.is_some()),
            ("--tenant", self.tenant.is_some()),
            ("--resource", self.resource.is_some()),
            ("--audience", self.audience.is_some()),
            ("--param", !self.params.is_empty()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect()
    }
}

/// On what terms any token is had.
#[derive(Args, Debug, Default)]
pub(crate) struct Terms {
    /// How long the token must still live: 90s, 5m, 2h or seconds
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = duration::parse)]
    pub(crate) min_validity: Option<Duration>,
    /// Fail with exit code 3 instead of asking the user to sign in
    #[arg(long)]
    pub(crate) no_prompt: bool,
    /// Fail with exit code 3 and have brokerd ask: by `[prompt] command`, `brokerctl watch` and `brokerctl prompts`
    #[arg(long, conflicts_with = "no_prompt")]
    pub(crate) prompt_elsewhere: bool,
}

#[derive(Args, Debug, Default)]
pub(crate) struct GetToken {
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) terms: Terms,
    /// Get a new one even if the one at hand would do
    #[arg(long)]
    pub(crate) force_refresh: bool,
    /// The token on stdin was refused by whom it is for: forget exactly that one, and get another
    #[arg(long)]
    pub(crate) rejected: bool,
    /// The ID token in the access token's place; `-o json` has both
    #[arg(long, conflicts_with = "rejected")]
    pub(crate) id_token: bool,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TokenFormat::Token, value_name = "FORMAT")]
    pub(crate) output: TokenFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenFormat {
    /// The token alone
    #[default]
    Token,
    /// The token, its expiry, scope and account
    Json,
    /// `Authorization: Bearer …`
    Header,
    /// What `az account get-access-token` prints
    AzureCli,
}

/// What to sign in to, where there is no profile yet. What is not given is asked.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Where there is no profile yet")]
pub(crate) struct FirstProfile {
    /// The provider: entra, github, google, okta, auth0, keycloak, gitlab or oidc
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// The issuer, as the provider writes it
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The client id of the application's registration
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
}

impl FirstProfile {
    /// Returns whether a profile is to be made.
    pub(crate) fn is_given(&self) -> bool {
        self.provider.is_some() || self.issuer.is_some() || self.client_id.is_some()
    }
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) first: FirstProfile,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

pub(super) fn param(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no '=' in it")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn claims(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}
