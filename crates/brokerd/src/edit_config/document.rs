//! The file's text with one profile more or less: whatever else stands in it stays as it is, comments and blanks included.

use std::path::Path;

use broker_ipc::edit::AddProfile;
use broker_ipc::error::{ErrorBody, ErrorCode};
use serde_json::Value as Json;
use toml_edit::{Array, Decor, DocumentMut, InlineTable, Item, Key, RawString, Table, TableLike, Value};

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
    let (mut document, ends) = parse(text)?;
    let settings = settings(add)?;
    let name = add.profile.as_str();
    let end = positions(document.as_table()).into_iter().max().unwrap_or(0) + 1;
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
    Ok(Added { text: ends.write(&document), replaced })
}

/// Removes a profile, and with it its being the default.
pub(super) fn remove(text: &str, name: &str) -> Result<Removed, EditError> {
    let (mut document, ends) = parse(text)?;
    let unknown = || EditError::Unknown(name.into());
    let gap = Gap::of(document.as_table(), &["profiles", name]);
    let profiles = document.get_mut("profiles").ok_or_else(unknown)?;
    profiles.as_table_like_mut().ok_or(EditError::NoTable)?.remove(name).ok_or_else(unknown)?;
    keep_comments(&mut document, gap);
    let was_default = document.get("default_profile").and_then(Item::as_str) == Some(name);
    if was_default {
        let gap = Gap::of(document.as_table(), &["default_profile"]);
        document.remove("default_profile");
        keep_comments(&mut document, gap);
    }
    Ok(Removed { text: ends.write(&document), was_default })
}

/// How the lines of a file end.
#[derive(Clone, Copy)]
enum Ends {
    Lf,
    /// All of them. A file that has both kinds is written with LF, but for what stands in its strings.
    CrLf,
}

impl Ends {
    fn write(self, document: &DocumentMut) -> String {
        match self {
            Self::Lf => document.to_string(),
            Self::CrLf => document.to_string().replace('\n', "\r\n"),
        }
    }
}

/// CRLF is LF meanwhile: `toml_edit` writes no other outside of strings.
fn parse(text: &str) -> Result<(DocumentMut, Ends), EditError> {
    let all = text.contains('\n') && text.matches('\n').count() == text.matches("\r\n").count();
    let (document, ends) =
        if all { (text.replace("\r\n", "\n").parse(), Ends::CrLf) } else { (text.parse(), Ends::Lf) };
    Ok((document.map_err(EditError::Syntax)?, ends))
}

/// Writes `[profiles.NAME]`, without a `[profiles]` before it.
fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// Where in the file a table's tables stand, itself among them.
fn positions(table: &Table) -> Vec<isize> {
    let inner = table.iter().flat_map(|(_, item)| match item {
        Item::Table(table) => positions(table),
        Item::ArrayOfTables(tables) => tables.iter().flat_map(positions).collect(),
        _ => Vec::new(),
    });
    inner.chain(table.position()).collect()
}

/// The table that stands there.
fn at(table: &mut Table, position: Option<isize>) -> Option<&mut Table> {
    if table.position() == position {
        return Some(table);
    }
    table.iter_mut().find_map(|(_, item)| match item {
        Item::Table(table) => at(table, position),
        Item::ArrayOfTables(tables) => tables.iter_mut().find_map(|table| at(table, position)),
        _ => None,
    })
}

/// Where something stands that is to go.
struct Gap {
    /// The table that it is, or in which it is a key.
    table: Option<isize>,
    /// Which of the table's keys it is.
    key: Option<usize>,
    /// It is the first thing of the file.
    first: bool,
    /// The comments and blanks before it.
    before: String,
}

impl Gap {
    fn of(root: &Table, path: &[&str]) -> Option<Self> {
        // The innermost table with a header, and what of the path is a key below it: work = {}, or work.issuer = "".
        let (mut table, mut lines, mut keys) = (root, root, path);
        for (depth, key) in path.iter().enumerate() {
            let Some(Item::Table(inner)) = table.get(key) else { break };
            table = inner;
            if !inner.is_dotted() {
                (lines, keys) = (inner, path.get(depth + 1..)?);
            }
        }
        let place = lines.position();
        if keys.is_empty() {
            let first = root.get_values().is_empty() && positions(root).into_iter().min() == place;
            return Some(Self { table: place, key: None, first, before: prefix(lines.decor()).into() });
        }
        let all = lines.get_values();
        let is_it =
            |names: &[&Key]| names.len() >= keys.len() && names.iter().zip(keys).all(|(name, key)| name.get() == *key);
        let index = all.iter().position(|(names, _)| is_it(names))?;
        let before = prefix(all.get(index)?.0.last()?.leaf_decor()).into();
        Some(Self { table: place, key: Some(index), first: index == 0 && std::ptr::eq(lines, root), before })
    }

    /// What outlives it: all but the comment right above it, which is its own, unless that is the head of the file.
    fn kept(&self) -> &str {
        let before = self.before.trim_end_matches([' ', '\t']);
        let own = before.split_inclusive('\n').rev().take_while(|line| line.trim_start().starts_with('#'));
        let kept = before.get(..before.len() - own.map(str::len).sum::<usize>()).unwrap_or(before);
        if self.first && kept.trim().is_empty() { before } else { kept }
    }
}

/// Gives what outlives something that is gone to what stands there now: a key, else the next table, else the end of the file.
fn keep_comments(document: &mut DocumentMut, gap: Option<Gap>) {
    let Some(gap) = gap.filter(|gap| !gap.kept().is_empty()) else { return };
    if before_key(document, &gap).is_some() {
        return;
    }
    let next = positions(document.as_table()).into_iter().filter(|place| Some(*place) > gap.table).min();
    if next.is_some()
        && let Some(table) = at(document.as_table_mut(), next)
    {
        prepend(table.decor_mut(), gap.kept());
    } else {
        let own = document.trailing().as_str().unwrap_or_default();
        let trailing = if own.is_empty() { without_blank(gap.kept()).to_owned() } else { joined(gap.kept(), own) };
        document.set_trailing(trailing);
    }
}

fn before_key(document: &mut DocumentMut, gap: &Gap) -> Option<()> {
    let table = at(document.as_table_mut(), gap.table)?;
    let names: Vec<String> = table.get_values().get(gap.key?)?.0.iter().map(|key| key.get().to_owned()).collect();
    let (last, parents) = names.split_last()?;
    let mut table: &mut dyn TableLike = table;
    for name in parents {
        table = table.get_mut(name)?.as_table_like_mut()?;
    }
    prepend(table.key_mut(last)?.leaf_decor_mut(), gap.kept());
    Some(())
}

fn prefix(decor: &Decor) -> &str {
    decor.prefix().and_then(RawString::as_str).unwrap_or_default()
}

fn prepend(decor: &mut Decor, kept: &str) {
    let prefix = joined(kept, prefix(decor));
    decor.set_prefix(prefix);
}

/// One after the other with a blank line between, lest a comment be taken for one on what follows.
fn joined(kept: &str, own: &str) -> String {
    let blank = if own.split_inclusive('\n').next().is_some_and(is_blank) { "" } else { "\n" };
    format!("{}{blank}{own}", without_blank(kept))
}

/// The text without the blank line at its end.
fn without_blank(text: &str) -> &str {
    let last = text.split_inclusive('\n').next_back().filter(|line| is_blank(line)).unwrap_or_default();
    text.strip_suffix(last).unwrap_or(text)
}

fn is_blank(line: &str) -> bool {
    line.ends_with('\n') && line.trim().is_empty()
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
        // In one line, as JSON writes it too: what breaks lines in a value is its own, whatever ends those of the file.
        Json::String(text) if text.contains('\n') => json.to_string().replace('\u{7f}', "\\u007f").parse().ok(),
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
