//! A token that a resource refused is not served again, where it is all there is of the sign-in.

use broker_client::{AccountState, TokenRequest};
use support::rig::{Rig, exposed, interactive, never, s, sha256};

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_not_served_by_a_flight_that_left_before() {
    // GitHub's tokens have no end and no refresh token.
    let config = "[profiles.work]\nprovider = \"github\"\nauthority = \"http://127.0.0.1:7001\"\n\
                  client_id = \"cli\"\nscopes = [\"repo\"]\n";
    let mut rig = Rig::setup().provider(support::fake_as::Options::github).config(Some(config)).start();
    let token = rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.set_hanging(true);
    rig.run();
    let plain = rig.background(&never());
    rig.pass(s(1)).await;
    let rejecting = rig.background(&TokenRequest { reject_token_sha256: Some(sha256(&token)), ..never() });
    rig.pass(s(1)).await;
    rig.store.set_hanging(false);

    assert_eq!(rejecting.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
    assert_eq!(plain.await.unwrap().unwrap_err().code().as_str(), "interaction_required", "it is known by then");
    rig.refused(&never()).await;
    rig.pass(s(1)).await;
    assert_eq!(rig.account().await.state, AccountState::SignInRequired);
    rig.restart().await;
    rig.refused(&never()).await;
    let again = rig.sign_in_with(&interactive(), "alice").await;
    assert_ne!(exposed(&again), exposed(&token));
}
