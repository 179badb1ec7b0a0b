//! What Microsoft Entra's AADSTS numbers mean, and what to do about them, in our words.
//!
//! A number explains; it decides nothing that `error`, `suberror` or `claims` decides (Microsoft: "should never be used by
//! the client itself", and numbers come and go). The one exception is the fate of a refresh token where nothing else in the
//! answer tells it: see [`Fate`] and [`crate::failure`].
//!
//! A number that is not in the table explains nothing: the answer is explained by its `error` then. Of several numbers the
//! most specific one explains: see [`explaining`].

mod table;

pub use self::table::TABLE;
use crate::failure::ErrorResponse;

/// A row of the table.
///
/// The sentences may have placeholders: `{profile}`, `{tenant}`, `{client_id}`, `{scopes}`, `{login}` (the command that signs
/// in), `{lifetime}` (see [`max_lifetime`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aadsts {
    /// The number.
    pub number: i64,
    /// Microsoft's name for it; empty where its documents have none.
    pub name: &'static str,
    /// What happened, in one sentence.
    pub what: &'static str,
    /// What to do, in one sentence.
    pub remedy: &'static str,
    /// Who or what must change.
    pub about: About,
    /// What becomes of the refresh token.
    pub fate: Fate,
}

/// Who or what must change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The person: by signing in, by consenting, by choosing another account.
    Person,
    /// An administrator of the tenant.
    Administrator,
    /// The way of signing in: a device code can never satisfy this.
    OtherFlow,
    /// `tenant` (or `authority`) of the profile, or the tenant asked for.
    Tenant,
    /// `client_id` of the profile.
    ClientId,
    /// `client_secret_file` of the profile.
    Secret,
    /// The client's registration at the provider.
    Registration,
    /// `scopes` or `resource`, of the profile or of the request.
    Scopes,
    /// The device code: ask for a new one.
    Code,
    /// Nobody: the provider, and time.
    Provider,
}

/// What becomes of the refresh token that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// None was sent where this is said.
    NotInvolved,
    /// It lives: this request alone was refused.
    Alive,
    /// It is refused for this tenant, resource or policy, even where the answer calls it a bad token, and may serve others.
    AliveElsewhere,
    /// It is dead, where `suberror` and `claims` do not say otherwise.
    Dead,
}

/// Numbers that say little: beside another known one, that one explains.
const GENERIC: [i64; 8] = [50_033, 70_000, 70_008, 90_006, 90_024, 90_033, 90_090, 9_002_313];

/// Finds a number's row.
pub fn row(number: i64) -> Option<&'static Aadsts> {
    TABLE.binary_search_by_key(&number, |row| row.number).ok().map(|at| &TABLE[at])
}

/// The row that explains an answer best: of its known numbers the first that is not generic, else what its `suberror` or
/// `error` stands for, else the first.
pub fn explaining(response: &ErrorResponse) -> Option<&'static Aadsts> {
    let known = || response.error_codes.iter().filter_map(|number| row(*number));
    let word = response.suberror.as_deref().unwrap_or(&response.error);
    known().find(|row| !GENERIC.contains(&row.number)).or_else(|| meant_by(word)).or_else(|| known().next())
}

/// The row that says what a `suberror` says, whatever the number.
fn meant_by(word: &str) -> Option<&'static Aadsts> {
    row(match word {
        "consent_required" => 65_001,
        "user_password_expired" => 50_055,
        "token_expired" => 70_043,
        "device_authentication_failed" => 50_155,
        _ => return None,
    })
}

/// The longest life a policy allows a sign-in, in seconds, from the text of AADSTS70043: "... the maximum allowed lifetime
/// for this request is 43200."
pub fn max_lifetime(description: &str) -> Option<u64> {
    let (_, rest) = description.split_once("maximum allowed lifetime")?;
    let number = rest.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
    number.parse().ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_duplicates_and_each_row_says_something() {
        assert!(TABLE.windows(2).all(|pair| pair[0].number < pair[1].number));
        for row in TABLE {
            for text in [row.what, row.remedy] {
                assert!(text.len() > 15 && text.len() < 240, "{}: {text:?}", row.number);
                assert!(!text.ends_with('.') && !text.contains(['\n', '\t']), "{}: {text:?}", row.number);
                assert_eq!(text.trim(), text);
                assert!(!text.contains("AADSTS"), "our own words: {text:?}");
                let braces = |brace: char| text.matches(brace).count();
                assert_eq!(braces('{'), braces('}'), "{}: {text:?}", row.number);
            }
            assert_ne!(row.what, row.remedy);
            assert_eq!(super::row(row.number), Some(row));
        }
        for number in GENERIC {
            assert!(row(number).is_some(), "{number}");
        }
    }

    #[test]
    fn what_a_row_points_to_is_named_in_its_remedy() {
        for row in TABLE {
            let words: &[&str] = match row.about {
                About::Person => &["{login}", "sign in", "browser", "page"],
                About::Administrator => &["administrator"],
                About::OtherFlow => &["device code"],
                About::Tenant => &["tenant"],
                About::ClientId => &["client_id"],
                About::Secret => &["client_secret_file"],
                About::Registration => &["registration"],
                About::Scopes => &["scope", "resource"],
                About::Code => &["{login}", "new code", "page"],
                About::Provider => &["again", "wait"],
            };
            assert!(words.iter().any(|word| row.remedy.contains(word)), "{}: {:?}", row.number, row.remedy);
        }
    }

    /// The founding page names them as what a program must expect.
    #[test]
    fn the_three_of_the_founding_page_are_there() {
        for number in [50_059, 90_002, 90_133] {
            assert!(row(number).is_some_and(|row| row.about == About::Tenant), "{number}");
        }
        assert!(row(90_133).unwrap().what.contains("not given any more"), "obsolete, and said so");
    }

    #[test]
    fn the_most_specific_known_number_explains() {
        for (numbers, suberror, want) in [
            (&[][..], None, None),
            (&[1, 2], None, None),
            (&[50_076], None, Some(50_076)),
            (&[1, 50_076], None, Some(50_076)),
            (&[70_000, 50_076], None, Some(50_076)),
            (&[53_003, 50_076], None, Some(53_003)),
            (&[9_002_313, 1], None, Some(9_002_313)),
            (&[1], Some("consent_required"), Some(65_001)),
            (&[70_000], Some("token_expired"), Some(70_043)),
            (&[70_000], Some("user_password_expired"), Some(50_055)),
            (&[70_000], Some("device_authentication_failed"), Some(50_155)),
            (&[50_076], Some("consent_required"), Some(50_076)),
            (&[70_000], Some("bad_token"), Some(70_000)),
        ] {
            let response = ErrorResponse {
                error: "invalid_grant".into(),
                suberror: suberror.map(str::to_owned),
                error_codes: numbers.to_vec(),
                ..ErrorResponse::default()
            };
            assert_eq!(explaining(&response).map(|row| row.number), want, "{numbers:?} {suberror:?}");
        }
    }

    #[test]
    fn the_lifetime_is_read_from_the_text_if_it_is_there() {
        let text = "AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency checks by conditional \
                    access. The token was issued on 2026-01-02T03:04:05.6Z and the maximum allowed lifetime for this \
                    request is 43200. Trace ID: 7";
        assert_eq!(max_lifetime(text), Some(43_200));
        for text in ["", "lifetime 5", "maximum allowed lifetime", "maximum allowed lifetime is 0."] {
            assert_eq!(max_lifetime(text), None, "{text:?}");
        }
        assert_eq!(max_lifetime(&format!("maximum allowed lifetime is {}9", u64::MAX)), None);
    }
}
