//! Who answers to which name: found without a look at every account, of which there may be thousands.

use std::collections::HashMap;

use super::Card;
use crate::grant::AccountId;

/// The accounts by profile, and within it by name.
#[derive(Default)]
pub(super) struct Names(HashMap<String, OfProfile>);

#[derive(Default)]
struct OfProfile {
    /// By username.
    all: Vec<AccountId>,
    /// By name in lower case: whom it means, by username, and how well.
    by_name: HashMap<String, Vec<(u8, AccountId)>>,
}

impl Names {
    /// Takes in all cards.
    pub(super) fn of<'c>(cards: impl Iterator<Item = &'c Card>) -> Self {
        let mut cards: Vec<_> = cards.collect();
        cards.sort_by(|a, b| (&a.username, &a.id).cmp(&(&b.username, &b.id)));
        let mut names = Self::default();
        for card in cards {
            let profile = names.0.entry(card.profile.clone()).or_default();
            profile.all.push(card.id.clone());
            for (rank, name) in card.names() {
                let known = profile.by_name.entry(name.to_lowercase()).or_default();
                // The better one of two that are the same comes first.
                if known.last().is_none_or(|(_, last)| *last != card.id) {
                    known.push((rank, card.id.clone()));
                }
            }
        }
        names
    }

    /// The accounts of a profile, each with how well the name means it; without a name all, alike.
    pub(super) fn find(&self, profile: &str, name: Option<&str>) -> Vec<(u8, &AccountId)> {
        let Some(profile) = self.0.get(profile) else { return Vec::new() };
        match name {
            None => profile.all.iter().map(|id| (0, id)).collect(),
            Some(name) => {
                let known = profile.by_name.get(&name.to_lowercase()).map_or(&[][..], Vec::as_slice);
                known.iter().map(|(rank, id)| (*rank, id)).collect()
            }
        }
    }
}
