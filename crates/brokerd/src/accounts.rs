//! Which accounts exist: their cards, their mailboxes, and the index that remembers them between runs.
//!
//! The index is a hint and holds no secret. The store has the last word: what it has and the index does not is taken in,
//! what the index has and the store does not is forgotten, and both are told in `status`.

mod index;
mod names;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_ipc::api::AccountRef;
use broker_oauth::identity::Identity;
use broker_oauth::token::IssuedToken;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::index::Index;
use self::names::Names;
use crate::account::{Ask, Mailbox};
use crate::config::Profile;
use crate::grant::{AccountId, Grant};
use crate::store::StoreKind;

/// What is known of an account without its grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    /// Its id.
    pub id: AccountId,
    /// Its profile.
    pub profile: String,
    /// What to call the user.
    pub username: String,
    /// The provider's home id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_id: Option<String>,
    /// The provider's local id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_id: Option<String>,
    /// What it was asked for when signing in, so that a step-up asks for no less.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub asked: String,
    /// Where it signed in; empty if an older version wrote this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub issuer: String,
    /// The family whose clients may redeem its refresh token as well (Entra).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The kind of store that took its grant; none if it was not saved, or an older version wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// The kind of store that took the one before it, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_before: Option<String>,
}

impl Card {
    pub(crate) fn of(grant: &Grant, store: Option<&str>) -> Self {
        Self {
            id: grant.id.clone(),
            profile: grant.profile.clone(),
            username: grant.username().to_owned(),
            home_id: grant.identity.home_id.clone(),
            local_id: grant.identity.local_id.clone(),
            asked: grant.asked.to_string(),
            issuer: grant.issuer.clone(),
            family: grant.family.clone(),
            store: store.map(str::to_owned),
            stored_before: None,
        }
    }

    /// The same, after another of this account.
    fn after(mut self, before: &Self) -> Self {
        let mut kinds = [&before.store, &before.stored_before].into_iter().flatten();
        self.stored_before =
            kinds.find(|kind| Some(*kind) != self.store.as_ref() && *kind != StoreKind::Memory.as_str()).cloned();
        self
    }

    /// A store of another kind than this that may have a grant of it. Memory keeps nothing for another day.
    pub(crate) fn elsewhere(&self, kind: &str) -> Option<&str> {
        let mut kinds = [&self.store, &self.stored_before].into_iter().flatten();
        kinds.find(|store| *store != kind && *store != StoreKind::Memory.as_str()).map(String::as_str)
    }

    /// What it knows of who the user is.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            home_id: self.home_id.clone(),
            local_id: self.local_id.clone(),
            username: Some(self.username.clone()),
            ..Identity::default()
        }
    }

    /// Whether it signed in where the profile leads now. If not, it is not one of the profile's accounts, and nobody who
    /// signs in there could be it.
    pub(crate) fn is_of(&self, profile: &Profile) -> bool {
        self.profile == profile.name && (self.issuer.is_empty() || self.issuer == profile.bound_to())
    }

    /// What it is called by, the better names first: the id, then the username, then the provider's ids.
    fn names(&self) -> impl Iterator<Item = (u8, &str)> {
        let ids = [&self.home_id, &self.local_id].into_iter().flatten().map(|id| (2, id.as_str()));
        [(0, self.id.as_str()), (1, self.username.as_str())].into_iter().chain(ids)
    }

    /// Whether a name means this account, in any case.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.names().any(|(_, known)| known.to_lowercase() == name.to_lowercase())
    }

    /// As answers name it.
    pub(crate) fn reference(&self) -> AccountRef {
        AccountRef { id: self.id.to_string(), username: self.username.clone() }
    }
}

/// All accounts. One mutex, never held over an await.
pub(crate) struct Accounts {
    state: Mutex<State>,
}

struct State {
    entries: BTreeMap<AccountId, Entry>,
    /// Made when it is first needed after a change.
    names: Option<Names>,
    index: Index,
}

struct Entry {
    card: Arc<Card>,
    mailbox: Option<Mailbox>,
    /// Whether the index has it: not before the store has its grant.
    written: bool,
}

impl Accounts {
    /// Reads the index in `directory`; `None` keeps it in memory. Returns what was wrong with it as well.
    pub(crate) fn open(directory: Option<PathBuf>) -> (Self, Option<String>) {
        let (index, cards, complaint) = Index::open(directory);
        let entries = cards
            .into_iter()
            .map(|card| (card.id.clone(), Entry { card: Arc::new(card), mailbox: None, written: true }));
        (Self { state: Mutex::new(State { entries: entries.collect(), names: None, index }) }, complaint)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every card, by profile and username.
    pub(crate) fn cards(&self) -> Vec<Arc<Card>> {
        let mut cards: Vec<_> = self.state().entries.values().map(|entry| Arc::clone(&entry.card)).collect();
        cards.sort_by(|a, b| (&a.profile, &a.username, &a.id).cmp(&(&b.profile, &b.username, &b.id)));
        cards
    }

    /// The cards that the index has: those of grants that a store took.
    pub(crate) fn indexed(&self) -> Vec<Arc<Card>> {
        self.state().entries.values().filter(|entry| entry.written).map(|entry| Arc::clone(&entry.card)).collect()
    }

    /// One card.
    pub(crate) fn card(&self, id: &AccountId) -> Option<Arc<Card>> {
        self.state().entries.get(id).map(|entry| Arc::clone(&entry.card))
    }

    /// The accounts of a profile; with a name, those it means best.
    pub(crate) fn find(&self, profile: &Profile, name: Option<&str>) -> Vec<Arc<Card>> {
        let mut state = self.state();
        let State { entries, names, .. } = &mut *state;
        let names = names.get_or_insert_with(|| Names::of(entries.values().map(|entry| &*entry.card)));
        let known = names.find(&profile.name, name).into_iter();
        let cards = known.filter_map(|(rank, id)| Some((rank, &entries.get(id)?.card)));
        let found: Vec<_> = cards.filter(|(_, card)| card.is_of(profile)).collect();
        let best = found.iter().map(|(rank, _)| *rank).min();
        found.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, card)| Arc::clone(card)).collect()
    }

    /// An account's mailbox; `None` while it has no task.
    pub(crate) fn mailbox(&self, id: &AccountId) -> Option<Mailbox> {
        let state = self.state();
        state.entries.get(id)?.mailbox.clone().filter(|mailbox| !mailbox.is_closed())
    }

    /// The token that an account's task would hand out at once.
    pub(crate) fn at_hand(&self, id: &AccountId, ask: &Ask, now: Timestamp) -> Option<Arc<IssuedToken>> {
        let state = self.state();
        state.entries.get(id)?.mailbox.as_ref().filter(|mailbox| !mailbox.is_closed())?.at_hand(ask, now)
    }

    /// Notes an account's task. The card may be new.
    pub(crate) fn attach(&self, card: Arc<Card>, mailbox: Mailbox) {
        let mut state = self.state();
        if let Some(entry) = state.entries.get_mut(&card.id) {
            entry.mailbox = Some(mailbox);
            return;
        }
        state.names = None;
        state.entries.insert(card.id.clone(), Entry { card, mailbox: Some(mailbox), written: false });
    }

    /// Writes the card of a grant that a store of this kind has into the index.
    pub(crate) fn remember(&self, grant: &Grant, store: &str) {
        let mut state = self.state();
        let card = Card::of(grant, Some(store));
        let before = state.entries.get(&grant.id).map(|entry| Arc::clone(&entry.card));
        let card = Arc::new(match before {
            Some(before) => card.after(&before),
            None => card,
        });
        let known = state.entries.get(&grant.id).is_some_and(|entry| entry.written && entry.card == card);
        if known && state.index.is_good() {
            return;
        }
        let mailbox = state.entries.remove(&grant.id).and_then(|entry| entry.mailbox);
        state.names = None;
        state.entries.insert(grant.id.clone(), Entry { card, mailbox, written: true });
        state.write();
    }

    /// Takes an account out; its task ends by itself.
    pub(crate) fn forget(&self, id: &AccountId) -> Option<Arc<Card>> {
        let mut state = self.state();
        let entry = state.entries.remove(id)?;
        state.names = None;
        state.write();
        Some(entry.card)
    }

    /// Why the index could not be written last time, if it could not.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.state().index.complaint()
    }
}

impl State {
    fn write(&mut self) {
        let cards: Vec<&Card> = self.entries.values().filter(|entry| entry.written).map(|entry| &*entry.card).collect();
        self.index.write(&cards);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(profile: &str, user: &str, home: &str) -> Card {
        let identity = Identity { subject: Some(user.into()), ..Identity::default() };
        Card {
            id: AccountId::derive(profile, "i", &identity),
            profile: profile.into(),
            username: user.into(),
            home_id: Some(home.into()),
            local_id: None,
            asked: String::new(),
            issuer: String::new(),
            family: None,
            store: None,
            stored_before: None,
        }
    }

    fn named(profile: &str) -> Profile {
        let text = format!("[profiles.{profile}]\nissuer = \"https://i.example\"\nclient_id = \"c\"");
        let config = crate::config::Config::parse(std::path::Path::new(""), &text).unwrap();
        Profile::clone(&config.profiles[profile])
    }

    #[test]
    fn names_mean_accounts_in_any_case_and_the_better_match_wins() {
        let (accounts, _) = Accounts::open(None);
        // Bob's home id is Ann's username.
        for card in [card("work", "Ann", "1.t"), card("work", "bob", "ANN"), card("home", "ann", "2.t")] {
            accounts.attach(Arc::new(card), Mailbox::new(1).0);
        }
        let names = |profile: &str, name: Option<&str>| -> Vec<String> {
            accounts.find(&named(profile), name).into_iter().map(|card| card.username.clone()).collect()
        };
        assert_eq!(names("work", None), ["Ann", "bob"]);
        assert_eq!(names("work", Some("ANN")), ["Ann"]);
        assert_eq!(names("work", Some("1.T")), ["Ann"]);
        assert_eq!(names("home", Some("ann")), ["ann"]);
        assert!(names("home", Some("bob")).is_empty());
    }
}
