//! Providers by their names: what each is known for, from the sign-in to the sign-out.

use broker_client::TokenRequest;
use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant, Options};
use support::rig::{Rig, exposed, interactive, never, scopes};

const SECRET: &str = "client-secret-0f8c2b71";
const BASE: &str = "http://127.0.0.1:7001";

/// A provider's life, by what differs.
struct Row {
    name: &'static str,
    speak: fn(&mut Options),
    /// The profile, without its provider.
    profile: &'static str,
    username: &'static str,
    /// Whether the access token is all there is.
    lasts: bool,
    revocation: &'static str,
    /// What the sign-in and the poll must carry, beside what every one does.
    asked: &'static [(&'static str, &'static str)],
}

const ROWS: [Row; 9] = [
    Row {
        name: "github",
        speak: Options::github,
        profile: "authority = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\nscopes = [\"repo\", \"gist\"]",
        username: "alice",
        lasts: true,
        revocation: "not_supported",
        asked: &[("scope", "gist repo")],
    },
    Row {
        name: "github",
        speak: Options::github_app,
        profile: "authority = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"",
        username: "alice",
        lasts: false,
        revocation: "not_supported",
        asked: &[],
    },
    Row {
        name: "google",
        speak: Options::google,
        profile: "client_id = \"confidential\"\nclient_secret_file = \"google.secret\"\nscopes = [\"email\"]\n\
                  token_endpoint = \"http://127.0.0.1:7001/token\"\n\
                  device_authorization_endpoint = \"http://127.0.0.1:7001/device_authorization\"\n\
                  revocation_endpoint = \"http://127.0.0.1:7001/revoke\"",
        username: "alice@example.com",
        lasts: false,
        revocation: "revoked",
        asked: &[("scope", "email openid"), ("client_secret", SECRET)],
    },
    Row {
        name: "okta",
        speak: |_| {},
        profile: "issuer = \"http://127.0.0.1:7001/\"\nclient_id = \"cli\"\nscopes = [\"read\"]",
        username: "alice@example.com",
        lasts: false,
        revocation: "revoked",
        asked: &[("scope", "offline_access openid profile read")],
    },
    Row {
        name: "auth0",
        speak: |options| {
            options.auth0();
            options.issuer.push('/');
        },
        profile: "issuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\naudience = \"https://api.example.com\"",
        username: "alice@example.com",
        lasts: false,
        revocation: "revoked",
        asked: &[("audience", "https://api.example.com"), ("scope", "offline_access openid profile")],
    },
    Row {
        name: "keycloak",
        speak: Options::keycloak,
        profile: "issuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\nscopes = [\"read\", \"offline_access\"]",
        username: "alice@example.com",
        lasts: false,
        revocation: "revoked",
        asked: &[("scope", "offline_access openid read"), ("code_challenge_method", "S256")],
    },
    Row {
        name: "gitlab",
        speak: Options::gitlab,
        profile: "issuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\nscopes = [\"openid\", \"read_api\"]",
        username: "alice@example.com",
        lasts: false,
        revocation: "revoked",
        asked: &[("scope", "openid read_api")],
    },
    Row {
        name: "adfs",
        speak: Options::adfs,
        profile: "authority = \"http://127.0.0.1:7001/adfs\"\nclient_id = \"cli\"\nscopes = [\"openid\", \"read\"]",
        username: "alice@example.com",
        lasts: false,
        revocation: "not_supported",
        asked: &[("scope", "openid read")],
    },
    Row {
        name: "oidc",
        speak: Options::twitch,
        profile: "issuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\nscopes = [\"openid\", \"chat\"]",
        username: "alice@example.com",
        lasts: false,
        revocation: "revoked",
        asked: &[("scope", "chat openid")],
    },
];

impl Row {
    fn start(&self) -> Rig {
        let profile = format!("[profiles.work]\nprovider = \"{}\"\n{}\n", self.name, self.profile);
        // The secret's file stands beside the configuration, so that comes last.
        let rig = Rig::setup().provider(self.speak).config(None).start();
        let secret = rig.config_file().with_file_name("google.secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        rig.write_config(&profile);
        rig
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_lives_as_each_provider_lets_it() {
    for row in &ROWS {
        let mut rig = row.start();
        rig.client.reload().await.unwrap_or_else(|error| panic!("{}: {error:?}", row.name));
        // Pending, at first, in whatever words.
        let mut call = rig.call(&interactive());
        let prompt = call.prompt().await;
        assert!(prompt.verification_uri.starts_with(BASE), "{}", row.name);
        rig.fake.wait_for_count(Grant::DeviceCode, 2).await;
        rig.fake.approve(&prompt.user_code, "alice");
        let first = call.token().await;
        assert_eq!(first.account.username, row.username, "{}", row.name);
        let asked = rig.fake.log().into_iter().find(|request| request.is(Endpoint::DeviceAuthorization)).unwrap();
        for (name, value) in row.asked {
            assert_eq!(asked.field(name), Some(*value), "{}: {name}", row.name);
        }
        assert_eq!(asked.header("authorization"), None, "{}", row.name);
        // From memory, then by itself, then after a restart.
        assert_eq!(exposed(&rig.token(&never()).await), exposed(&first), "{}", row.name);
        rig.pass(support::rig::s(8 * 3600)).await;
        let second = rig.token(&never()).await;
        assert_eq!(exposed(&second) == exposed(&first), row.lasts, "{}", row.name);
        assert_eq!(second.expires_on.is_none(), row.lasts, "{}", row.name);
        rig.restart().await;
        let third = rig.token(&never()).await;
        assert_eq!(exposed(&third) == exposed(&first), row.lasts, "{}", row.name);
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1, "{}", row.name);
        assert_eq!(rig.fake.reuse_detected(), 0, "{}", row.name);
        // And out.
        let signed_out = rig.client.sign_out(&third.account.id).await.unwrap();
        let told = serde_json::to_value(&signed_out).unwrap();
        assert_eq!(told["revocation"], row.revocation, "{}: {told}", row.name);
        assert_eq!(rig.fake.revoked_families().len(), usize::from(row.revocation == "revoked"), "{}", row.name);
        assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required", "{}", row.name);
    }
}

fn row(name: &str) -> &'static Row {
    ROWS.iter().find(|row| row.name == name).unwrap()
}

async fn started(row: &Row) -> Rig {
    let rig = row.start();
    rig.client.reload().await.unwrap();
    rig
}

/// GitHub's tokens do not say whose they are; its API does.
#[tokio::test(start_paused = true)]
async fn two_people_of_one_github_profile_are_two_accounts() {
    let rig = started(row("github")).await;
    let alice = rig.sign_in("alice").await;
    let bob = rig.sign_in_with(&TokenRequest { account: Some("bob".into()), ..interactive() }, "bob").await;
    assert_ne!(alice.account.id, bob.account.id);
    let as_alice = TokenRequest { account: Some("Alice".into()), ..never() };
    assert_eq!(exposed(&rig.token(&as_alice).await), exposed(&alice));
    let asked: Vec<_> = rig.fake.log().into_iter().filter(|request| request.is(Endpoint::Userinfo)).collect();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].header("authorization"), Some(format!("Bearer {}", exposed(&alice)).as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_is_kept_without_a_name_if_nobody_tells_it() {
    for fault in [Fault::status(500), Fault::Hang, Fault::Html, Fault::CloseConnection] {
        let mut rig = started(row("github")).await;
        rig.fake.always(Endpoint::Userinfo, fault.clone());
        let token = rig.sign_in("alice").await;
        assert_eq!(token.account.username, "unknown", "{fault:?}");
        rig.restart().await;
        assert_eq!(exposed(&rig.token(&never()).await), exposed(&token), "{fault:?}");
    }
}

/// A server that would not say it in the token response says it when asked.
#[tokio::test(start_paused = true)]
async fn an_openid_provider_without_an_id_token_is_asked_who_signed_in() {
    let mute = |options: &mut Options| {
        options.token_overrides.insert("id_token".into(), json!(null));
    };
    let rig = Rig::setup().provider(mute).start();
    assert_eq!(rig.sign_in("alice").await.account.username, "alice@example.com");
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    let rig = Rig::setup().provider(mute).config(Some(&config.replace("\"openid\", ", ""))).start();
    assert_eq!(rig.sign_in("alice").await.account.username, "unknown");
    assert_eq!(rig.fake.count(Endpoint::Userinfo), 0, "the token is not for that");
}

#[tokio::test(start_paused = true)]
async fn signing_out_of_github_says_where_the_user_can_revoke() {
    let rig = started(row("github")).await;
    let id = rig.sign_in("alice").await.account.id;
    let detail = rig.client.sign_out(&id).await.unwrap().detail.unwrap();
    assert!(detail.contains("https://github.com/settings/applications"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_github_apps_dead_refresh_token_is_not_sent_again() {
    let rig = started(&ROWS[1]).await;
    rig.sign_in("alice").await;
    rig.fake.revoke_user("alice");
    rig.pass(support::rig::s(8 * 3600)).await;
    let refused = rig.refused(&never()).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert_eq!(refused.provider.unwrap().error.as_deref(), Some("bad_refresh_token"));
    let sent = rig.fake.count(Grant::RefreshToken);
    rig.refused(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), sent);
}

/// GitHub's refusals come with HTTP 200, and Entra's of a device authorization may.
#[tokio::test(start_paused = true)]
async fn a_refusal_with_http_200_is_a_refusal_on_every_leg() {
    let said = |error: &str| Fault::Status {
        code: 200,
        body: json!({"error": error, "error_description": "no"}).to_string(),
        content_type: "application/json".into(),
        headers: Vec::new(),
    };
    for name in ["github", "keycloak", "oidc"] {
        let rig = started(if name == "github" { &ROWS[1] } else { row(name) }).await;
        for (error, code) in [("device_flow_disabled", "configuration"), ("access_denied", "access_denied")] {
            rig.fake.script(Endpoint::DeviceAuthorization, said(error));
            let refused = rig.call(&interactive()).failure().await;
            assert_eq!(refused.error.as_str(), code, "{name}: {refused:?}");
            assert_eq!(refused.provider.unwrap().error.as_deref(), Some(error), "{name}");
            // A refusal is remembered for so long.
            rig.pass(support::rig::s(30)).await;
        }
        rig.fake.script(Grant::DeviceCode, said("authorization_pending"));
        rig.sign_in("alice").await;
        rig.fake.script(Grant::RefreshToken, said("unauthorized_client"));
        let forced = TokenRequest { force_refresh: true, ..never() };
        assert_eq!(rig.refused(&forced).await.error.as_str(), "configuration", "{name}");
    }
}

/// Each row: what Google says to the poll, and what the caller is told.
#[tokio::test(start_paused = true)]
async fn googles_refusals_are_told_by_what_helps() {
    for (error, code, hint) in [
        ("access_denied", "access_denied", "ask again"),
        ("admin_policy_enforced", "blocked", "administrator"),
        ("invalid_client", "configuration", "TVs and Limited Input devices"),
        ("invalid_scope", "configuration", "drive.file"),
    ] {
        let rig = started(row("google")).await;
        let mut call = rig.call(&interactive());
        call.prompt().await;
        // Neither ends the flow.
        rig.fake.script(Grant::DeviceCode, Fault::oauth("rate_limit_exceeded"));
        rig.fake.script(Grant::DeviceCode, Fault::status(428));
        rig.fake.script(Grant::DeviceCode, Fault::oauth(error));
        let failure = call.failure().await;
        assert_eq!(failure.error.as_str(), code, "{error}");
        assert!(failure.hint.as_ref().unwrap().contains(hint), "{error}: {failure:?}");
        assert_eq!(rig.fake.count(Grant::DeviceCode), 3, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn pkce_is_sent_where_the_provider_or_the_profile_wants_it() {
    let challenge = |rig: &Rig| {
        let asked = rig.fake.log().into_iter().find(|request| request.is(Endpoint::DeviceAuthorization)).unwrap();
        asked.field("code_challenge").map(str::to_owned)
    };
    let plain = Rig::start();
    plain.sign_in("alice").await;
    assert_eq!(challenge(&plain), None);
    let wanted = Rig::setup().profile("pkce = true").provider(Options::keycloak).start();
    wanted.sign_in("alice").await;
    let once = challenge(&wanted).unwrap();
    let another = Rig::setup().profile("pkce = true").start();
    another.sign_in("alice").await;
    assert_ne!(challenge(&another).unwrap(), once, "a verifier of its own for each sign-in");
    let unproven = Rig::setup().profile("provider = \"keycloak\"\npkce = false").provider(Options::keycloak).start();
    assert_eq!(unproven.call(&interactive()).failure().await.error.as_str(), "configuration");
}

/// Twitch's name for it goes with the extra parameters, and what was granted comes as a list.
#[tokio::test(start_paused = true)]
async fn scopes_that_are_asked_for_and_granted_as_lists_are_scopes() {
    let profile = "extra_parameters = { scopes = \"openid chat:read\" }";
    let config = format!("[profiles.work]\nissuer = \"{BASE}\"\nclient_id = \"cli\"\n{profile}\n");
    let rig = Rig::setup().provider(Options::twitch).config(Some(&config)).start();
    let token = rig.sign_in("alice").await;
    assert_eq!(token.scope, "chat:read openid");
    assert_eq!(token.account.username, "alice@example.com");
    assert_eq!(exposed(&rig.token(&scopes(&["chat:read"])).await), exposed(&token));
    rig.expire().await;
    assert_eq!(rig.token(&scopes(&["chat:read"])).await.scope, "chat:read openid");
}

/// Auth0's tokens for an audience are for it, after a refresh too.
#[tokio::test(start_paused = true)]
async fn an_audience_is_asked_for_again_by_a_refresh() {
    let rig = started(row("auth0")).await;
    rig.sign_in("alice").await;
    rig.expire().await;
    let token = rig.token(&never()).await;
    assert_eq!(rig.fake.access_token(exposed(&token)).unwrap().audience, ["https://api.example.com"]);
    assert_eq!(rig.refused(&scopes(&["admin"])).await.error.as_str(), "interaction_required");
}
