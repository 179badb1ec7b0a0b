//! `accounts` and `logout`.

use broker_client::blocking::Client;
use broker_client::{Account, AccountRef, ErrorBody, ErrorCode, SignedOut};

use crate::clean;
use crate::cli::{Logout, Plain};
use crate::failure::{Failure, say};
use crate::output::{self, Table};

/// `brokerctl accounts`
pub(crate) fn list(client: &Client, options: &Plain) -> Result<(), Failure> {
    let accounts = client.accounts()?;
    if options.is_json() {
        return output::json(&accounts);
    }
    if accounts.accounts.is_empty() {
        say("brokerctl: nobody is signed in\nhint: brokerctl login\n");
        return Ok(());
    }
    table(&accounts.accounts).print()
}

/// Writes accounts for people.
pub(crate) fn table(accounts: &[Account]) -> Table {
    let mut table = Table::default();
    table.row(["PROFILE", "ACCOUNT", "STATE", "ID", "UNTIL", "SCOPE"]);
    for account in accounts {
        let state = account.state.as_str().replace('_', " ");
        let until = account.refresh_token_expires_at.as_deref().unwrap_or("-");
        table.row([&account.profile, &account.username, &state, &account.id, until, &account.scope]);
    }
    table
}

/// `brokerctl logout`
pub(crate) fn logout(client: &Client, options: &Logout) -> Result<(), Failure> {
    let accounts = client.accounts()?.accounts;
    let chosen = choose(&accounts, options)?;
    let mut done = Vec::with_capacity(chosen.len());
    let mut failed = None;
    for account in chosen {
        match client.sign_out(&account.id) {
            Ok(signed_out) => {
                if !options.plain.is_json() {
                    say(&told(&signed_out));
                }
                done.push(signed_out);
            }
            // The others are signed out all the same.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if options.plain.is_json() {
        output::json(&serde_json::json!({ "signed_out": done }))?;
    } else if done.is_empty() && failed.is_none() {
        say(&nobody(options.profile.as_deref()));
        if let Some(named) = &options.profile
            && !client.status()?.profiles.iter().any(|profile| profile.name == *named)
        {
            say(&format!("brokerctl: there is no profile {}\n", clean::line(named)));
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// What is told where `--all` are none: a profile's name is easily mistyped.
fn nobody(profile: Option<&str>) -> String {
    let under = profile.map(|profile| format!(" under profile {}", clean::line(profile))).unwrap_or_default();
    format!("brokerctl: nobody was signed in{under}\n")
}

/// Decides whom to sign out: everybody, the one named, or the only one.
fn choose<'a>(accounts: &'a [Account], options: &Logout) -> Result<Vec<&'a Account>, ErrorBody> {
    let in_profile = |account: &&Account| options.profile.as_ref().is_none_or(|profile| *profile == account.profile);
    let candidates: Vec<_> = accounts.iter().filter(in_profile).collect();
    let found: Vec<_> = match &options.account {
        _ if options.all => return Ok(candidates),
        None => candidates,
        Some(name) => {
            let by_id: Vec<_> = candidates.iter().copied().filter(|a| a.id == *name).collect();
            if by_id.is_empty() {
                let same = |a: &&Account| a.username.to_lowercase() == name.to_lowercase();
                candidates.into_iter().filter(same).collect()
            } else {
                by_id
            }
        }
    };
    match (found.as_slice(), &options.account) {
        ([_], _) => Ok(found),
        ([], Some(name)) => {
            let what = format!("no account {name} is signed in");
            Err(ErrorBody::new(ErrorCode::UnknownAccount, what).with_hint("see `brokerctl accounts`"))
        }
        ([], None) => Err(ErrorBody::new(ErrorCode::UnknownAccount, "nobody is signed in")),
        (several, _) => {
            let refer = |a: &&Account| AccountRef { id: a.id.clone(), username: a.username.clone() };
            let mut body = ErrorBody::new(ErrorCode::AccountRequired, "several accounts could be meant")
                .with_hint("name one by its id, or use --profile or --all");
            body.accounts = several.iter().map(refer).collect();
            Err(body)
        }
    }
}

/// What became of a sign-in, in one line.
pub(crate) fn told(signed_out: &SignedOut) -> String {
    let who = clean::line(&signed_out.account.username);
    let profile = clean::line(&signed_out.profile);
    let revocation = signed_out.revocation.as_str().replace('_', " ");
    let why = signed_out.detail.as_deref().map(|why| format!(": {}", clean::line(why)));
    let why = why.unwrap_or_default();
    format!("brokerctl: signed out {who} ({profile}); at the provider: {revocation}{why}\n")
}

#[cfg(test)]
mod tests {
    use broker_client::Revocation;

    use super::*;
    use crate::cli::Format;

    fn chosen(account: Option<&str>, profile: Option<&str>, all: bool) -> Result<Vec<String>, ErrorCode> {
        let accounts: Vec<Account> = [("1", "ada", "work"), ("2", "Ada", "home"), ("3", "bob", "home")]
            .iter()
            .map(|(id, username, profile)| {
                let value = serde_json::json!({
                    "id": id, "username": username, "profile": profile, "state": "signed_in"
                });
                serde_json::from_value(value).unwrap()
            })
            .collect();
        let options = Logout {
            account: account.map(str::to_owned),
            all,
            profile: profile.map(str::to_owned),
            plain: Plain { output: Format::Text },
        };
        choose(&accounts, &options)
            .map(|chosen| chosen.into_iter().map(|account| account.id.clone()).collect())
            .map_err(|body| body.error)
    }

    #[test]
    fn whom_to_sign_out_is_never_guessed() {
        let ids = |ids: &[&str]| Ok(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(chosen(None, None, false), Err(ErrorCode::AccountRequired));
        assert_eq!(chosen(None, Some("work"), false), ids(&["1"]));
        assert_eq!(chosen(Some("BOB"), None, false), ids(&["3"]));
        assert_eq!(chosen(Some("2"), None, false), ids(&["2"]));
        assert_eq!(chosen(Some("ADA"), None, false), Err(ErrorCode::AccountRequired));
        assert_eq!(chosen(Some("ADA"), Some("home"), false), ids(&["2"]));
        assert_eq!(chosen(Some("eve"), None, false), Err(ErrorCode::UnknownAccount));
        assert_eq!(chosen(None, Some("none"), false), Err(ErrorCode::UnknownAccount));
        assert_eq!(chosen(None, None, true), ids(&["1", "2", "3"]));
        assert_eq!(chosen(None, Some("none"), true), ids(&[]));
    }

    #[test]
    fn words_are_read_without_underscores() {
        let account = serde_json::json!({"id": "1", "username": "ada", "profile": "work", "state": "sign_in_required"});
        let rows = table(&[serde_json::from_value(account).unwrap()]).render();
        assert!(rows.contains("sign in required"), "{rows}");
        let account = AccountRef { id: "1".into(), username: "ada".into() };
        let revocation = Revocation::NothingToRevoke;
        let told = told(&SignedOut { account, profile: "work".into(), revocation, detail: None });
        assert_eq!(told, "brokerctl: signed out ada (work); at the provider: nothing to revoke\n");
    }
}
