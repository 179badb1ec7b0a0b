//! What a provider sends, heads and all, in the place of an answer to a refresh.

use broker_client::{ClientError, ErrorCode, TokenRequest};

use super::pipes::paused;
use crate::fake_as::{Fault, Grant, Raw};
use crate::hostile::{all_text, is_unsafe};
use crate::rig::{Rig, exposed, never};

/// Bytes on the daemon's connection to a provider, and then its end. The caller has an answer; what it is told is fit to be shown;
/// and the sign-in is good afterwards, unless the provider has ended or replaced it.
pub(super) fn answer(bytes: &[u8]) {
    paused(async {
        let rig = Rig::start();
        rig.sign_in("alice").await;
        rig.fake.always(Grant::RefreshToken, Fault::Raw(Raw::text(bytes)));
        let forced = TokenRequest { force_refresh: true, ..never() };
        let outcome = rig.client.access_token(&forced, |prompt| panic!("a prompt: {prompt:?}")).await;
        rig.fake.clear();
        rig.expire().await;
        let after = rig.client.access_token(&never(), |prompt| panic!("a prompt: {prompt:?}")).await;
        match outcome {
            Ok(token) => assert!(exposed(&token).bytes().all(|byte| byte.is_ascii_graphic()), "no header carries it"),
            Err(ClientError::Api(body)) => {
                let told = serde_json::to_value(&body).expect("it came as JSON");
                assert!(!all_text(&told).chars().any(is_unsafe), "{told}");
                assert!(after.is_ok() || body.error == ErrorCode::InteractionRequired, "{told}, then {after:?}");
            }
            Err(error) => panic!("{error}"),
        }
    });
}
