//! `profile`: the profiles of the configuration, which brokerd edits and the daemon then reads again.

mod add;
mod settings;

use std::path::Path;

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode, Status};
use broker_ipc::edit::{ConfigEdit, ListedProfiles, RemovedProfile, ShownProfile};
use serde::Serialize;
use serde_json::Value;

#[cfg(all(test, unix))]
pub(crate) use self::add::Added;
pub(super) use self::add::{NewProfile, add};
use crate::clean;
use crate::cli::{Plain, Profile, ProfileCommand, ProfileRemove};
use crate::editor::{self, Editor};
use crate::failure::Failure;
use crate::output::{self, Table};
use crate::prompt::Mode;

/// `brokerctl profile`
pub(crate) fn run(client: &Client, prompt: Mode, options: &Profile) -> Result<(), Failure> {
    let config = options.config.as_deref();
    match &options.command {
        ProfileCommand::Add(options) => add::run(client, prompt, config, options),
        ProfileCommand::List(options) => list(client, prompt, config, &options.plain),
        ProfileCommand::Show(options) => show(client, config, options.name.as_deref(), &options.plain),
        ProfileCommand::Remove(options) => remove(client, prompt, config, options),
    }
}

fn list(client: &Client, prompt: Mode, config: Option<&Path>, plain: &Plain) -> Result<(), Failure> {
    let editor = Editor::new(config, editor::running(client)?.as_ref())?;
    let listed: ListedProfiles = editor.ask(&ConfigEdit::List)?;
    if plain.is_json() {
        return output::json(&listed);
    }
    if listed.profiles.is_empty() {
        prompt.note(&format!("there is no profile in {}", clean::line(&listed.path)));
        return Ok(());
    }
    table(&listed).print()
}

/// Writes profiles for people.
pub(crate) fn table(listed: &ListedProfiles) -> Table {
    let mut table = Table::default();
    table.row(["PROFILE", "PROVIDER", "ISSUER", "CLIENT ID", ""]);
    for profile in &listed.profiles {
        let default = if profile.default { "default" } else { "" };
        table.row([&profile.name, &profile.provider, &profile.issuer, &profile.client_id, default]);
    }
    table
}

fn show(client: &Client, config: Option<&Path>, name: Option<&str>, plain: &Plain) -> Result<(), Failure> {
    let editor = Editor::new(config, editor::running(client)?.as_ref())?;
    let shown: ShownProfile = editor.ask(&ConfigEdit::Show { profile: name.map(str::to_owned) })?;
    if plain.is_json() {
        return output::json(&shown);
    }
    describe(&shown).print()
}

/// Writes one profile for people.
pub(crate) fn describe(shown: &ShownProfile) -> Table {
    let mut table = Table::default();
    let default = if shown.default { ", the default" } else { "" };
    table.row(["profile", &format!("{}{default}", shown.profile), ""]);
    table.row(["configuration", &shown.path, ""]);
    let (stated, follows): (Vec<_>, Vec<_>) = shown.settings.iter().partition(|(key, _)| shown.in_file.contains(key));
    for (settings, from) in [(stated, ""), (follows, "(not in the file)")] {
        for (key, value) in settings {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
                other => other.to_string(),
            };
            table.row([key, &text, from]);
        }
    }
    table
}

/// What is left of a profile, for programs.
#[derive(Serialize)]
struct Removed {
    #[serde(flatten)]
    removed: RemovedProfile,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_in_force: Option<String>,
}

fn remove(client: &Client, prompt: Mode, config: Option<&Path>, options: &ProfileRemove) -> Result<(), Failure> {
    let running = editor::running(client)?;
    let editor = Editor::new(config, running.as_ref())?;
    if has_daemon_of(config, running.as_ref()) && !options.keep_accounts {
        refuse_while_signed_in(client, &options.name, "without the profile")?;
    }
    let removed: RemovedProfile = editor.ask(&ConfigEdit::Remove { profile: options.name.clone() })?;
    let not_in_force = reload(client, running.as_ref(), &removed.path)?;
    let removed = Removed { removed, not_in_force };
    if options.plain.is_json() {
        return output::json(&removed);
    }
    for line in removed.told(running.is_some()) {
        prompt.note(&line);
    }
    Ok(())
}

impl Removed {
    fn told(&self, is_running: bool) -> Vec<String> {
        let Self { removed, not_in_force } = self;
        let mut told =
            vec![format!("profile {} removed from {}", clean::line(&removed.profile), clean::line(&removed.path))];
        if removed.was_default {
            told.push("it was the default profile; there is none now".into());
        }
        if !is_running {
            told.push("brokerd is not running: whether somebody is signed in under it was not looked at".into());
        }
        told.extend(not_in_force.as_ref().map(|why| format!("not in force yet: {}", clean::line(why))));
        told
    }
}

/// What is told of a profile that was added, and of one that was removed.
#[cfg(all(test, unix))]
pub(crate) fn told(added: &Added, removed: RemovedProfile, not_in_force: &str) -> Vec<String> {
    let removed = Removed { removed, not_in_force: Some(not_in_force.to_owned()) };
    [added.told(), removed.told(false)].concat()
}

/// Whether a daemon runs that uses this file. Who is signed in is known of its own file: in another one a profile of the same name is another.
fn has_daemon_of(config: Option<&Path>, running: Option<&Status>) -> bool {
    running.is_some_and(|status| config.is_none_or(|config| is_same(config, &status.configuration.path)))
}

/// A sign-in without its profile can no longer be revoked.
fn refuse_while_signed_in(client: &Client, profile: &str, then: &str) -> Result<(), Failure> {
    let accounts = client.accounts()?.accounts;
    let names: Vec<_> =
        accounts.iter().filter(|account| account.profile == profile).map(|a| a.username.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let what = format!("under profile {profile} is still signed in: {}", names.join(", "));
    Err(ErrorBody::new(ErrorCode::Configuration, what)
        .with_hint(format!(
            "{then} nobody can revoke that: brokerctl logout --all --profile {profile}, or add --keep-accounts"
        ))
        .into())
}

/// Has a daemon that runs read the file; returns why it does not, if so.
fn reload(client: &Client, running: Option<&Status>, path: &str) -> Result<Option<String>, Failure> {
    match running {
        None => Ok(Some("brokerd is not running; it reads the file when it starts".into())),
        Some(status) if !is_same(Path::new(path), &status.configuration.path) => {
            Ok(Some(format!("the brokerd that runs uses another file, {}", status.configuration.path)))
        }
        Some(_) => client.reload().map(|_| None).map_err(Failure::from),
    }
}

/// Whether both are one file, under whatever names.
fn is_same(path: &Path, of_the_daemon: &str) -> bool {
    let of_the_daemon = Path::new(of_the_daemon);
    path == of_the_daemon
        || path.canonicalize().is_ok_and(|path| of_the_daemon.canonicalize().is_ok_and(|daemons| daemons == path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_file_comes_first_and_what_follows_says_so() {
        let shown = serde_json::from_value(serde_json::json!({
            "path": "/c", "profile": "work", "default": true, "in_file": ["scopes", "tenant"],
            "settings": {"pkce": false, "scopes": ["a", "b"], "tenant": "t", "issuer": "https://i\u{1b}"}
        }))
        .unwrap();
        assert_eq!(
            describe(&shown).render(),
            "profile        work, the default\n\
             configuration  /c\n\
             scopes         a b\n\
             tenant         t\n\
             issuer         https://i          (not in the file)\n\
             pkce           false              (not in the file)"
        );
    }
}
