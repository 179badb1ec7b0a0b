//! `brokerd --edit-config`: what `brokerctl profile` asks for, one JSON object on stdin, answered by one on stdout.
//!
//! It runs beside the daemon, or without one, and speaks to nobody. `docs/decisions/0013-profiles-from-the-command-line.md`
//! says why it is here.

mod document;
mod held;
mod show;

use std::path::Path;
use std::sync::Arc;

use broker_ipc::edit::{AddProfile, AddedProfile, ConfigEdit, ListedProfiles, RemovedProfile};
use broker_ipc::error::{ErrorBody, ErrorCode};
use serde::Serialize;

use self::held::Held;
use crate::check;
use crate::config::{Config, ConfigError, Profile};

/// Answers one request about the configuration file at `path`; the answer is one line of JSON.
///
/// What is written is good throughout, or nothing is written. Errors have [`ErrorCode::Configuration`], or
/// [`ErrorCode::UnknownProfile`], or [`ErrorCode::BadRequest`] if the request makes no sense.
pub fn answer(path: &Path, request: &[u8]) -> Result<String, ErrorBody> {
    let edit = serde_json::from_slice(request).map_err(|error| {
        ErrorBody::new(
            ErrorCode::BadRequest,
            format!("the request on stdin is not one that this brokerd knows: {error}"),
        )
        .with_hint("use brokerctl profile, of the same version")
    })?;
    match edit {
        ConfigEdit::List => json(&list(path)?),
        ConfigEdit::Show { profile } => json(&show::show(path, profile.as_deref())?),
        ConfigEdit::Add(add) => json(&write(path, &add)?),
        ConfigEdit::Remove { profile } => json(&remove(path, &profile)?),
    }
}

fn json(answer: &impl Serialize) -> Result<String, ErrorBody> {
    serde_json::to_string(answer).map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string()))
}

fn list(path: &Path) -> Result<ListedProfiles, ErrorBody> {
    // One that is yet to be written has none.
    let nothing = path.try_exists().is_ok_and(|there| !there);
    let config = if nothing { Config::default() } else { Config::load(path).map_err(refused)? };
    let profiles = config.profiles.iter().map(|(name, profile)| profile.summary(config.is_default(name)));
    Ok(ListedProfiles { path: path.display().to_string(), profiles: profiles.collect() })
}

fn write(path: &Path, add: &AddProfile) -> Result<AddedProfile, ErrorBody> {
    let held = Held::take(path)?;
    let old = held.text()?;
    let new = document::add(&old, add).map_err(|error| error.into_body(path, &old))?;
    let config = Config::parse(path, &new.text).map_err(refused)?;
    let Some(profile) = config.profiles.get(&add.profile) else {
        return Err(ErrorBody::new(ErrorCode::Internal, "the profile is not in what would be written"));
    };
    check::check_profile(profile)
        .map_err(|(why, hint)| ErrorBody::new(ErrorCode::Configuration, why).with_hint(hint))?;
    // A file that is wrong is no reason not to write one that is right; of it nothing is known.
    let before = Config::parse(path, &old).unwrap_or_default();
    if !add.dry_run {
        held.write(&new.text)?;
    }
    let bound = |profile: &Arc<Profile>| (profile.registration.client_id.clone(), profile.bound_to());
    let replaced = before.profiles.get(&add.profile);
    let was_default = before.profiles.keys().find(|name| before.is_default(name));
    let has_default = config.profiles.keys().any(|name| config.is_default(name));
    Ok(AddedProfile {
        path: path.display().to_string(),
        profile: profile.summary(config.is_default(&add.profile)),
        replaced: new.replaced,
        wants_client_secret: profile.secret_in_keyring,
        is_another: replaced.is_some_and(|replaced| bound(replaced) != bound(profile)),
        no_default_after: was_default.filter(|_| !has_default).cloned(),
    })
}

fn remove(path: &Path, name: &str) -> Result<RemovedProfile, ErrorBody> {
    let held = Held::take(path)?;
    let old = held.text()?;
    let new = document::remove(&old, name).map_err(|error| error.into_body(path, &old))?;
    Config::parse(path, &new.text).map_err(refused)?;
    held.write(&new.text)?;
    Ok(RemovedProfile { path: path.display().to_string(), profile: name.into(), was_default: new.was_default })
}

fn refused(error: ConfigError) -> ErrorBody {
    ErrorBody::new(ErrorCode::Configuration, error.to_string()).with_hint(error.hint)
}

fn unknown_profile(name: &str, path: &Path) -> ErrorBody {
    ErrorBody::new(ErrorCode::UnknownProfile, format!("there is no profile {name:?} in {}", path.display()))
        .with_hint("brokerctl profile list has those there are")
}
