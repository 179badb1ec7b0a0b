//! Who is asked for by an address gets the token that the configuration has for it.

use broker_client::TokenRequest;
use support::rig::{Rig, never};

const HOSTS: &str = r#"
[[hosts]]
match = "dev.example.com/contoso"
profile = "work"
scopes = ["read"]
username = "token"

[[hosts]]
match = "*.example.com"
profile = "other"
account = "bob@example.com"
"#;

fn host(host: &str) -> TokenRequest {
    TokenRequest { host: Some(host.into()), ..never() }
}

#[tokio::test(start_paused = true)]
async fn the_first_entry_that_fits_says_profile_scopes_and_user_name() {
    let rig = Rig::setup().profile(HOSTS).start();
    rig.sign_in("alice").await;
    let token = rig.token(&host("dev.example.com/contoso/repo.git")).await;
    assert_eq!((token.profile.as_str(), token.basic_username.as_deref()), ("work", Some("token")));
    let request = TokenRequest { scopes: vec!["write".into()], force_refresh: true, ..host("dev.example.com/contoso") };
    assert!(rig.token(&request).await.scope.contains("write"), "the request's own scopes win");

    // The other entry, and its account: nobody is signed in as that one.
    let refused = rig.refused(&host("dev.example.com/other")).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert!(refused.error_description.contains("bob@example.com"), "{refused}");
    assert!(refused.error_description.contains("profile other"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_named_gets_nothing() {
    let rig = Rig::setup().profile(HOSTS).start();
    rig.sign_in("alice").await;
    for stranger in ["example.com", "dev.example.com.evil.test", "dev.example.com:8443", "", "\u{1b}[2J"] {
        let refused = rig.refused(&host(stranger)).await;
        assert_eq!(refused.error.as_str(), "unknown_host", "{stranger:?}");
        assert!(!refused.error_description.contains('\u{1b}'));
    }
    let both = TokenRequest { profile: Some("work".into()), ..host("dev.example.com/contoso") };
    assert_eq!(rig.refused(&both).await.error.as_str(), "bad_request");
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_who_is_meant() {
    let rig = Rig::setup().profile(HOSTS).start();
    rig.sign_in("alice").await;
    let text = std::fs::read_to_string(rig.config_file()).expect("the configuration");
    rig.write_config(&text.replace("dev.example.com/contoso", "git.example.org"));
    rig.client.reload().await.expect("it is right");
    assert_eq!(rig.token(&host("git.example.org")).await.profile, "work");
    assert_eq!(rig.refused(&host("dev.example.com/contoso")).await.error.as_str(), "interaction_required");
}
