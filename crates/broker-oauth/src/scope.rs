//! Scopes (RFC 6749 §3.3): sets in which order does not matter.

use std::collections::BTreeSet;

/// How two scope values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeCase {
    /// RFC 6749 §3.3: case-sensitive.
    Exact,
    /// Microsoft Entra ID.
    Insensitive,
}

/// A set of scopes, sorted; also what a token is cached under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeSet(BTreeSet<String>);

/// Scopes that say who the user is or how long a grant lasts. They ask for no access, and some servers leave them out of
/// the answer, so they never decide whether a token covers a request.
const IDENTITY: [&str; 5] = ["openid", "profile", "email", "offline_access", "offline"];

impl ScopeSet {
    /// Reads a space separated list.
    pub fn parse(list: &str) -> Self {
        list.split_ascii_whitespace().collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this one is in it, to the letter.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// Whether a token granted `self` serves a request for `wanted`: a superset, identity scopes aside.
    pub fn covers(&self, wanted: &Self, case: ScopeCase) -> bool {
        wanted.access().all(|scope| match case {
            ScopeCase::Exact => self.0.contains(scope),
            ScopeCase::Insensitive => self.0.iter().any(|granted| granted.eq_ignore_ascii_case(scope)),
        })
    }

    /// Returns them as the wire has them (RFC 6749 §3.3), as `to_string` does, in one piece of memory.
    pub fn joined(&self) -> String {
        let mut text = String::with_capacity(self.iter().map(|scope| scope.len() + 1).sum());
        for scope in self.iter() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(scope);
        }
        text
    }

    /// The scopes that ask for access to something.
    pub fn access(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|scope| !IDENTITY.contains(scope))
    }
}

impl<S: Into<String>> FromIterator<S> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(Into::into).filter(|scope: &String| !scope.is_empty()).collect())
    }
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

/// Whether `value` is a scope by the grammar of RFC 6749 §3.3: printable ASCII without space, quote and backslash.
pub fn is_scope_token(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(granted: &str, wanted: &str, case: ScopeCase) -> bool {
        ScopeSet::parse(granted).covers(&ScopeSet::parse(wanted), case)
    }

    #[test]
    fn covers_is_superset_without_order() {
        assert!(covers("b a c", "a b", ScopeCase::Exact));
        assert!(!covers("a", "a b", ScopeCase::Exact));
        assert!(covers("a", "", ScopeCase::Exact));
    }

    #[test]
    fn joined_is_as_shown() {
        for text in ["", "a", "b a https://c.example/.default"] {
            let set = ScopeSet::parse(text);
            assert_eq!(set.joined(), set.to_string());
        }
        assert_eq!(ScopeSet::parse("b  a").joined(), "a b");
    }

    #[test]
    fn case_counts_except_for_entra() {
        assert!(!covers("User.Read", "user.read", ScopeCase::Exact));
        assert!(covers("User.Read", "user.read", ScopeCase::Insensitive));
    }

    #[test]
    fn identity_scopes_decide_nothing() {
        assert!(covers("User.Read", "openid profile offline_access User.Read", ScopeCase::Exact));
    }

    #[test]
    fn the_grammar_is_rfc_6749s() {
        assert!(is_scope_token("https://graph.microsoft.com/.default"));
        for bad in ["", "a b", "a\"b", "a\\b", "a\u{7f}", "ä"] {
            assert!(!is_scope_token(bad), "{bad:?}");
        }
    }
}
