//! The file's text with one profile more or less: whatever else stands in it stays as it is, comments and blanks included.

use std::path::Path;

use broker_ipc::edit::AddProfile;
use broker_ipc::error::{ErrorBody, ErrorCode};
use serde_json::Value as Json;
use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

use super::{refused, unknown_profile};
use crate::config::{self, Config};

/// A text with a profile more.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) text: String,
    pub(super) replaced: bool,
}

/// A text with a profile less.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) text: String,
    pub(super) was_default: bool,
}

/// Why there is no such text.
#[derive(Debug, thiserror::Error)]
pub(super) enum EditError {
    /// It is not TOML to begin with.
    #[error("it is not TOML")]
    Syntax(toml_edit::TomlError),
    /// `profiles` is something else than a table.
    #[error("`profiles` is no table in it")]
    NoTable,
    /// There is one of that name, and it was not to be replaced.
    #[error("there is a profile {0:?} already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no profile {0:?}")]
    Unknown(String),
    /// A value that no key has.
    #[error("{0} has a value of a kind that no key has")]
    Value(String),
}

impl EditError {
    /// What the user is told, who asked for a change of `text`, the file at `path`.
    pub(super) fn into_body(self, path: &Path, text: &str) -> ErrorBody {
        match &self {
            // The parser of the configuration says it with the line.
            Self::Syntax(_) if let Err(error) = Config::parse(path, text) => refused(error),
            Self::Unknown(name) => unknown_profile(name, path),
            Self::Exists(_) => ErrorBody::new(ErrorCode::Configuration, format!("{self} in {}", path.display()))
                .with_hint("give the new one another name, or replace it: brokerctl profile add --replace; what is not named then is gone"),
            Self::Value(_) => ErrorBody::new(ErrorCode::BadRequest, self.to_string()),
            Self::Syntax(_) | Self::NoTable => {
                ErrorBody::new(ErrorCode::Configuration, format!("{}: {self}", path.display()))
                    .with_hint("mend it; docs/CONFIG.md has examples")
            }
        }
    }
}

/// Adds a profile at the end, or replaces it where it is.
pub(super) fn add(text: &str, add: &AddProfile) -> Result<Added, EditError> {
    let mut document: DocumentMut = text.parse().map_err(EditError::Syntax)?;
    let settings = settings(add)?;
    let name = add.profile.as_str();
    let end = positions(document.as_item()).into_iter().max().unwrap_or(0) + 1;
    let is_empty = document.is_empty();
    let is_inline = document.get("profiles").is_some_and(Item::is_inline_table);
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    let profiles = document.entry("profiles").or_insert_with(implicit).as_table_like_mut().ok_or(EditError::NoTable)?;
    let replaced = match profiles.get_mut(name).map(Item::as_table_like_mut) {
        Some(_) if !add.replace => return Err(EditError::Exists(name.into())),
        Some(Some(table)) => {
            replace(table, settings);
            true
        }
        there => {
            let replaced = there.is_some();
            if is_inline {
                profiles.insert(name, Item::Value(settings.into_iter().collect::<InlineTable>().into()));
            } else {
                let mut table = settings.into_iter().collect::<Table>();
                table.set_position(Some(end));
                // What stood at the end of the file stays before what is now the end.
                let blank = if is_empty && trailing.is_empty() && !add.default { "" } else { "\n" };
                table.decor_mut().set_prefix(format!("{trailing}{blank}"));
                profiles.insert(name, Item::Table(table));
                document.set_trailing("");
            }
            replaced
        }
    };
    if add.default {
        set(document.as_table_mut(), "default_profile", name.into());
    }
    Ok(Added { text: document.to_string(), replaced })
}

/// Removes a profile, and with it its being the default.
pub(super) fn remove(text: &str, name: &str) -> Result<Removed, EditError> {
    let mut document: DocumentMut = text.parse().map_err(EditError::Syntax)?;
    let unknown = || EditError::Unknown(name.into());
    let profiles = document.get_mut("profiles").ok_or_else(unknown)?;
    let profiles = profiles.as_table_like_mut().ok_or(EditError::NoTable)?;
    if let Item::Table(gone) = profiles.remove(name).ok_or_else(unknown)? {
        keep_comments(&mut document, &gone);
    }
    let was_default = document.get("default_profile").and_then(Item::as_str) == Some(name);
    if was_default {
        document.remove("default_profile");
    }
    Ok(Removed { text: document.to_string(), was_default })
}

/// Writes `[profiles.NAME]`, without a `[profiles]` before it.
fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// Where in the file a table's tables stand, itself among them.
fn positions(item: &Item) -> Vec<isize> {
    match item {
        Item::Table(table) => table.iter().flat_map(|(_, item)| positions(item)).chain(table.position()).collect(),
        Item::ArrayOfTables(tables) => tables.iter().filter_map(Table::position).collect(),
        _ => Vec::new(),
    }
}

/// The table that stands there.
fn at(table: &mut Table, position: isize) -> Option<&mut Table> {
    if table.position() == Some(position) {
        return Some(table);
    }
    table.iter_mut().filter_map(|(_, item)| item.as_table_mut()).find_map(|table| at(table, position))
}

/// Puts back what stood before a table that is gone, but for the comment that stands on its header: that was its own.
fn keep_comments(document: &mut DocumentMut, gone: &Table) {
    let before = gone.decor().prefix().and_then(RawString::as_str).unwrap_or_default();
    let Some(end) = before.trim_end_matches([' ', '\t']).rfind("\n\n") else { return };
    let kept = &before[..=end];
    let next = positions(document.as_item()).into_iter().filter(|place| Some(*place) > gone.position()).min();
    if let Some(table) = next.and_then(|place| at(document.as_table_mut(), place)) {
        let own = table.decor().prefix().and_then(RawString::as_str).unwrap_or_default();
        let prefix = format!("{kept}{own}");
        table.decor_mut().set_prefix(prefix);
    } else {
        let trailing = format!("{kept}{}", document.trailing().as_str().unwrap_or_default());
        document.set_trailing(trailing);
    }
}

/// Gives a table these keys and no other. A key that stays keeps its place and its comments.
fn replace(table: &mut dyn TableLike, settings: Vec<(String, Value)>) {
    let gone: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in gone.iter().filter(|key| settings.iter().all(|(kept, _)| kept != *key)) {
        table.remove(key);
    }
    for (key, value) in settings {
        set(table, &key, value);
    }
}

fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// The settings in the order of the documentation.
fn settings(add: &AddProfile) -> Result<Vec<(String, Value)>, EditError> {
    let place = |key: &str| config::PROFILE_KEYS.iter().position(|known| *known == key).unwrap_or(usize::MAX);
    let mut settings = Vec::new();
    for (key, json) in &add.settings {
        settings.push((key.clone(), value(json).ok_or_else(|| EditError::Value(key.clone()))?));
    }
    settings.sort_by_key(|(key, _)| place(key));
    Ok(settings)
}

fn value(json: &Json) -> Option<Value> {
    match json {
        Json::String(text) => Some(text.as_str().into()),
        Json::Bool(yes) => Some((*yes).into()),
        Json::Array(items) => Some(items.iter().map(value).collect::<Option<Array>>()?.into()),
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, json)| Some((key.as_str(), value(json)?)));
            Some(pairs.collect::<Option<InlineTable>>()?.into())
        }
        Json::Null | Json::Number(_) => None,
    }
}

#[cfg(test)]
mod tests;
