//! Lending: the refresh token redeemed once for another client of its family (Entra's `foci`).
//!
//! The token does not leave its task. Entra answers with a refresh token of the borrower's own and leaves the spent one
//! valid, so nothing is written here, and whatever the answer is, this account's grant stays as it was.

use broker_oauth::refresh::RefreshParameters;
use broker_oauth::token::TokenResponse;

use super::Ask;
use super::hold::{Held, Hold, load};
use crate::broker::Broker;
use crate::grant::{AccountId, Credential, Grant};
use crate::provider::{Fault, Provider};

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
) -> (Hold, Loan) {
    let (hold, _) = load(broker, id, hold).await;
    let loan = match (&hold, provider) {
        (Hold::Saved(Held { grant, .. }), Some(provider)) if may_lend(grant, provider, borrower) => {
            redeem(grant, borrower, ask).await
        }
        _ => Err(NoLoan::NothingToLend),
    };
    (hold, loan)
}

/// Both have said so in the configuration, which only Entra's profiles can: elsewhere a spent refresh token ends the sign-in.
fn may_lend(grant: &Grant, provider: &Provider, borrower: &Provider) -> bool {
    let (profile, other) = (&provider.profile, &borrower.profile);
    grant.family.is_some()
        && grant.belongs_to(profile)
        && profile.silent.share_family
        && other.silent.share_family
        && profile.is_in_cloud_of(other)
}

async fn redeem(grant: &Grant, borrower: &Provider, ask: &Ask) -> Loan {
    let Credential::Refresh(refresh) = &grant.credential else { return Err(NoLoan::NothingToLend) };
    let scopes = borrower.profile.registration.sign_in_scopes(&ask.scopes);
    let (claims, extra) = (ask.claims.as_deref(), &ask.extra);
    let parameters = RefreshParameters { scopes: &scopes, target: &ask.target, claims, extra };
    let clearance = borrower.clear(&ask.target, grant.identity.home_id.as_deref()).await.map_err(NoLoan::Fault)?;
    // Entra, so that a use does not spend it.
    let response =
        borrower.refresh(clearance, &refresh.token, false, &scopes, parameters).await.map_err(NoLoan::Fault)?;
    let user = response.identity.as_ref().and_then(|identity| identity.home_id.as_ref());
    let same = user.zip(grant.identity.home_id.as_ref()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other));
    if same && response.refresh_token.is_some() { Ok(Box::new(response)) } else { Err(NoLoan::Useless) }
}
