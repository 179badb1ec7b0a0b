//! What other people's programs are compiled against.
// Without its mark that it may grow, an enum that is matched to its last variant has nothing left for `_`.
#![deny(unreachable_patterns)]
#![expect(clippy::match_like_matches_macro, reason = "an arm that is never reached is what is looked for")]

use broker_client::{
    Account, AccountState, ConfigurationStatus, DevicePrompt, Event, FlightSummary, Include, Interaction, LastError,
    Requester, Revocation, SignedOut, Status, StoreStatus, TokenEvent,
};

/// Types of public fields have names here, so that a program can hand one from function to function.
#[test]
fn what_stands_in_an_answer_can_be_named() {
    let _: fn(&Status) -> &StoreStatus = |status| &status.store;
    let _: fn(&Status) -> &ConfigurationStatus = |status| &status.configuration;
    let _: fn(&Status) -> &[FlightSummary] = |status| &status.flights;
    let _: fn(&Account) -> Option<&LastError> = |account| account.last_error.as_ref();
    let _: fn(&DevicePrompt) -> &Requester = |prompt| &prompt.requested_by;
    let _: fn(&SignedOut) -> Revocation = |signed_out| signed_out.revocation;
}

#[test]
fn what_may_grow_is_matched_with_an_end() {
    let _: fn(&TokenEvent) -> bool = |event| match event {
        TokenEvent::DevicePrompt(_) | TokenEvent::Token(_) | TokenEvent::SignedIn { .. } => true,
        TokenEvent::Error(_) | TokenEvent::Unknown => true,
        _ => false,
    };
    let _: fn(&Event) -> bool = |event| match event {
        Event::PromptStarted(_) | Event::PromptEnded { .. } | Event::AccountChanged { .. } => true,
        Event::Lagged { .. } | Event::Unknown => true,
        _ => false,
    };
    let _: fn(AccountState) -> bool = |state| match state {
        AccountState::SignedIn | AccountState::SignInRequired | AccountState::NotLoaded => true,
        AccountState::Unsaved | AccountState::NoProfile | AccountState::Unknown => true,
        _ => false,
    };
    let _: fn(Revocation) -> bool = |revocation| match revocation {
        Revocation::Revoked | Revocation::NotSupported | Revocation::Failed => true,
        Revocation::NothingToRevoke | Revocation::Unknown => true,
        _ => false,
    };
    let _: fn(Interaction) -> bool = |interaction| match interaction {
        Interaction::Allow | Interaction::Never | Interaction::Elsewhere => true,
        _ => false,
    };
    let _: fn(Include) -> bool = |include| match include {
        Include::IdToken => true,
        _ => false,
    };
}

#[cfg(feature = "blocking")]
#[test]
fn a_step_may_be_another_one_day() {
    use broker_client::blocking::Step;
    let _: fn(&Step) -> bool = |step| match step {
        Step::Away | Step::Back | Step::Event(_) => true,
        _ => false,
    };
}

/// Two candidates for one name are ambiguous, and do not compile: there are two where the type can be serialized.
#[test]
fn a_token_is_not_written_by_accident() {
    struct Serialized;
    trait Candidate<Reason> {
        fn name() {}
    }
    impl<T> Candidate<()> for T {}
    impl<T: serde::Serialize> Candidate<Serialized> for T {}
    <broker_client::TokenResponse as Candidate<_>>::name();
}
