//! Merging claims must lose nothing and add nothing but the capabilities, whatever the challenge.

use broker_oauth::claims::merged;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ]
}

/// Objects whose members are, more often than not, those the merge looks at.
fn challenge() -> impl Strategy<Value = Map<String, Value>> {
    let name = || prop_oneof!["access_token", "id_token", "xms_cc", "values", "[a-z]{1,3}"];
    let value = leaf().prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(name(), value, 0..4).prop_map(|members| members.into_iter().collect())
}

/// Whether everything in `old` is in `new`; a `null` may have become something.
fn keeps(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Null, _) => true,
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(name, value)| new.get(name).is_some_and(|new| keeps(value, new)))
        }
        (Value::Array(old), Value::Array(new)) => new.starts_with(old),
        (old, new) => old == new,
    }
}

fn capabilities_of(claims: &Value) -> Option<Vec<&str>> {
    claims["access_token"]["xms_cc"]["values"].as_array()?.iter().map(Value::as_str).collect()
}

/// Takes out what a merge may add.
fn bare(mut claims: Value) -> Value {
    if let Some(token) = claims["access_token"].as_object_mut() {
        token.remove("xms_cc");
    }
    claims
}

proptest! {
    /// A challenge's members stay; the capabilities are all there, each once; nothing else comes; twice is once.
    #[test]
    fn a_challenge_stays_and_the_capabilities_come(
        challenge in challenge(),
        capabilities in prop::collection::btree_set("[A-Za-z0-9]{1,4}", 1..4),
    ) {
        let capabilities: Vec<String> = capabilities.into_iter().collect();
        let challenge = Value::Object(challenge);
        let text = merged(Some(&challenge.to_string()), &capabilities).unwrap();
        let claims: Value = serde_json::from_str(&text).unwrap();
        prop_assert!(keeps(&challenge, &claims), "{challenge} became {claims}");
        prop_assert_eq!(merged(Some(&text), &capabilities), Some(text));

        let place = &challenge["access_token"];
        let free = |place: &Value| place.is_null() || place.is_object();
        if free(place) && free(&place["xms_cc"]) && place["xms_cc"]["values"].is_null() {
            prop_assert_eq!(capabilities_of(&claims), Some(capabilities.iter().map(String::as_str).collect()));
        }
        if place.is_object() {
            prop_assert_eq!(bare(claims), bare(challenge));
        }
    }

    /// Without capabilities a challenge is passed on to the letter, whatever it is.
    #[test]
    fn without_capabilities_nothing_changes(challenge in prop::option::of(".{0,40}")) {
        prop_assert_eq!(merged(challenge.as_deref(), &[]), challenge);
    }
}
