//! Lending: the refresh token redeemed once for another client of its family (Entra's `foci`).
//!
//! The token does not leave its task. Entra answers with a refresh token of the borrower's own and leaves the spent one
//! valid, so nothing is written here, and whatever the answer is, this account's grant stays as it was.

use broker_oauth::refresh::RefreshParameters;
use broker_oauth::token::TokenResponse;

use super::Ask;
use super::hold::{Held, Hold, load};
use super::underway::Underway;
use crate::broker::Broker;
use crate::config::Profile;
use crate::grant::{AccountId, Credential, Grant};
use crate::provider::{Fault, Provider, Sending};

/// What a borrower gets.
pub(crate) type Loan = Result<Box<TokenResponse>, NoLoan>;

/// Why it gets nothing.
#[derive(Debug)]
pub(crate) enum NoLoan {
    /// There is no family refresh token here, or it cannot be read now. Nothing was sent.
    NothingToLend,
    /// The provider refused, or did not answer.
    Fault(Fault),
    /// The provider's answer is no grant of the lender's user.
    Useless,
}

pub(super) async fn lend(
    broker: &Broker,
    provider: Option<&Provider>,
    id: &AccountId,
    hold: Hold,
    borrower: &Provider,
    ask: &Ask,
    underway: &Underway,
) -> (Hold, Loan) {
    let (hold, _) = load(broker, id, hold).await;
    underway.begins(&hold);
    // As it is now: what waited for its turn may be wanted no more.
    let now = broker.profiles().providers.get(&borrower.profile.name).cloned();
    let now = now.filter(|now| is_same_client(&now.profile, &borrower.profile));
    let loan = match (&hold, provider, now) {
        (Hold::Saved(Held { grant, .. }), Some(provider), Some(now))
            if may_lend(grant, &provider.profile, &now.profile) =>
        {
            redeem(grant, borrower, ask, underway).await
        }
        _ => Err(NoLoan::NothingToLend),
    };
    (hold, loan)
}

fn is_same_client(one: &Profile, other: &Profile) -> bool {
    one.registration.client_id == other.registration.client_id && one.bound_to() == other.bound_to()
}

/// Both have said so in the configuration, which only Entra's profiles can: elsewhere a spent refresh token ends the sign-in.
fn may_lend(grant: &Grant, lender: &Profile, borrower: &Profile) -> bool {
    grant.family.is_some()
        && grant.belongs_to(lender)
        && lender.silent.share_family
        && borrower.silent.share_family
        && lender.is_in_cloud_of(borrower)
}

async fn redeem(grant: &Grant, borrower: &Provider, ask: &Ask, underway: &Underway) -> Loan {
    let Credential::Refresh(refresh) = &grant.credential else { return Err(NoLoan::NothingToLend) };
    if let Some(left) = underway.still_at(refresh) {
        return Err(NoLoan::Fault(Fault::still_at_work(left)));
    }
    let scopes = borrower.profile.registration.sign_in_scopes(&ask.scopes);
    let (claims, extra) = (ask.claims.as_deref(), &ask.extra);
    let parameters = RefreshParameters { scopes: &scopes, target: &ask.target, claims, extra };
    let clearance =
        borrower.clear(&ask.target, grant.identity.home_id.as_deref(), false).await.map_err(NoLoan::Fault)?;
    // Entra, so that a use does not spend it.
    let sending = Sending { token: &refresh.token, once: false, tell: &|| underway.sends(&refresh.token) };
    let response = borrower
        .refresh(clearance, sending, (&scopes, &scopes), parameters)
        .await
        .map_err(|failed| NoLoan::Fault(failed.fault))?;
    let user = response.identity.as_ref().and_then(|identity| identity.home_id.as_ref());
    let same = user.zip(grant.identity.home_id.as_ref()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other));
    if same && response.refresh_token.is_some() { Ok(Box::new(response)) } else { Err(NoLoan::Useless) }
}

#[cfg(test)]
mod tests {
    use broker_oauth::identity::Identity;
    use broker_oauth::scope::ScopeSet;
    use broker_oauth::token::Target;
    use jiff::Timestamp;

    use super::*;

    fn profile(name: &str, client_id: &str, lines: &str) -> Profile {
        let text = format!(
            "[profiles.{name}]\nprovider = \"entra\"\ntenant = \"organizations\"\nclient_id = \"{client_id}\"\n{lines}"
        );
        let config = crate::config::Config::parse(std::path::Path::new(""), &text).unwrap();
        Profile::clone(&config.profiles[name])
    }

    fn grant(of: &Profile, family: Option<&str>) -> Grant {
        let identity = Identity::default();
        Grant {
            id: AccountId::derive(&of.name, &of.bound_to(), &identity),
            profile: of.name.clone(),
            client_id: of.registration.client_id.clone(),
            issuer: of.bound_to(),
            identity,
            target: Target::default(),
            scope: ScopeSet::default(),
            asked: ScopeSet::default(),
            credential: Credential::Dead,
            signed_in_at: Timestamp::UNIX_EPOCH,
            family: family.map(str::to_owned),
        }
    }

    #[test]
    fn each_condition_alone_keeps_the_token_here() {
        const CLI: &str = "11111111-2222-3333-4444-555555555555";
        const MAIL: &str = "22222222-3333-4444-5555-666666666666";
        let share = "share_family = true";
        let (work, mail) = (profile("work", CLI, share), profile("mail", MAIL, share));
        let ours = grant(&work, Some("1"));
        assert!(may_lend(&ours, &work, &mail));
        assert!(!may_lend(&grant(&work, None), &work, &mail), "no grant of a family");
        assert!(!may_lend(&ours, &profile("work", MAIL, share), &mail), "of another client");
        assert!(!may_lend(&ours, &profile("work", CLI, ""), &mail), "the lender does not share");
        assert!(!may_lend(&ours, &work, &profile("mail", MAIL, "")), "the borrower does not share");
        let china = profile("mail", MAIL, "share_family = true\ncloud = \"china\"");
        assert!(!may_lend(&ours, &work, &china), "another cloud");
    }
}
