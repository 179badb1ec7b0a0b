//! What a killed daemon and its successor have left on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use brokerd::store::{StoreConfig, StoreKind, open};
use serde_json::Value;
use tokio::time::{self, Instant};

use crate::figures::Set;

/// How long the daemon may take to put things in order behind an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until the store, the index and the prompts agree, and nothing lies about beside them.
pub(super) async fn is_tidy(set: &Set) -> anyhow::Result<()> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let Err(untidy) = look(set) else { return Ok(()) };
        if Instant::now() >= limit {
            return Err(untidy);
        }
        time::sleep(Duration::from_millis(20)).await;
    }
}

fn look(set: &Set) -> anyhow::Result<()> {
    let state = set.home.state().join("brokerd");
    for entry in fs::read_dir(&state)? {
        let name = entry?.file_name();
        let known = ["accounts.json", "brokerd.lock", "grants.sealed", "grants.sealed.lock", "prompts.json"];
        if !known.iter().any(|known| name == *known) {
            bail!("{} is left over", name.display());
        }
    }
    let stored = stored(set, &state)?;
    let accounts = members(&state, "accounts.json", |index| {
        let accounts = index["accounts"].as_array().into_iter().flatten();
        accounts.filter_map(|account| Some(account["id"].as_str()?.to_owned())).collect()
    })?;
    let prompts = members(&state, "prompts.json", |marks| {
        marks["prompts"].as_object().into_iter().flatten().map(|(id, _)| format!("prompt-{id}")).collect()
    })?;
    if !prompts.is_empty() {
        bail!("{prompts:?} are over and not forgotten");
    }
    if stored != accounts {
        bail!("the store has {stored:?}, the index {accounts:?}");
    }
    Ok(())
}

/// The keys of the sealed file: of a copy, because the daemon has the file for itself.
fn stored(set: &Set, state: &Path) -> anyhow::Result<BTreeSet<String>> {
    let copy = tempfile::tempdir()?;
    let path = copy.path().join("grants.sealed");
    fs::copy(state.join("grants.sealed"), &path)?;
    let key_file = Some(set.home.path().join("key"));
    let mut store = open(&StoreConfig { kind: StoreKind::File, path: Some(path), key_file, ..StoreConfig::default() })?;
    Ok(store.list()?.context("a sealed file lists what it has")?.into_iter().collect())
}

fn members(state: &Path, file: &str, of: impl Fn(&Value) -> BTreeSet<String>) -> anyhow::Result<BTreeSet<String>> {
    match fs::read(state.join(file)) {
        Ok(text) => Ok(of(&serde_json::from_slice(&text).with_context(|| file.to_owned())?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error.into()),
    }
}
