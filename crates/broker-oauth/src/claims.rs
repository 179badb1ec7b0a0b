//! The `claims` parameter (OpenID Connect Core §5.5): a caller's challenge, and what the client says it can do.
//!
//! A client that can handle claims challenges says so with every request, as a value of the `xms_cc` claim. Only then does
//! Entra give it tokens that live for a day and are ended by an event (continuous access evaluation).

use serde_json::{Map, Value, json};

/// The `claims` parameter of a request: the challenge, as it came, with the client's capabilities added to it. `None` if
/// there is neither.
///
/// Whatever the challenge says stays. One that is no JSON object, or has something else in the capabilities' place, is not
/// ours to mend: it is passed on as it is, and the provider says what is wrong with it.
pub fn merged(challenge: Option<&str>, capabilities: &[String]) -> Option<String> {
    if capabilities.is_empty() {
        return challenge.map(str::to_owned);
    }
    let mut claims = match challenge.map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(Value::Object(claims))) => claims,
        Some(_) => return challenge.map(str::to_owned),
    };
    match add(&mut claims, capabilities) {
        Some(()) => Some(Value::Object(claims).to_string()),
        None => challenge.map(str::to_owned),
    }
}

/// `None` if something else stands in the way.
fn add(claims: &mut Map<String, Value>, capabilities: &[String]) -> Option<()> {
    let token = member(claims, "access_token", json!({})).as_object_mut()?;
    let capability = member(token, "xms_cc", json!({})).as_object_mut()?;
    let values = member(capability, "values", json!([])).as_array_mut()?;
    for wanted in capabilities {
        if !values.iter().any(|value| value == wanted) {
            values.push(wanted.as_str().into());
        }
    }
    Some(())
}

/// A member; one that is missing, or `null` (§5.5.1: asked for without more), is made first.
fn member<'m>(object: &'m mut Map<String, Value>, name: &str, empty: Value) -> &'m mut Value {
    let member = object.entry(name).or_insert(Value::Null);
    if member.is_null() {
        *member = empty;
    }
    member
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cp1(challenge: Option<&Value>) -> Option<Value> {
        let challenge = challenge.map(Value::to_string);
        let merged = merged(challenge.as_deref(), &["CP1".into()])?;
        serde_json::from_str(&merged).ok()
    }

    #[test]
    fn capabilities_are_said_as_msal_says_them() {
        assert_eq!(merged(None, &["CP1".into()]).as_deref(), Some(r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#));
        assert_eq!(merged(None, &[]), None);
    }

    #[test]
    fn a_challenge_keeps_its_members() {
        let challenge = json!({
            "access_token": {"nbf": {"essential": true, "value": "1"}, "acrs": null},
            "id_token": {"auth_time": {"essential": true}},
        });
        let mut want = challenge.clone();
        want["access_token"]["xms_cc"] = json!({"values": ["CP1"]});
        assert_eq!(with_cp1(Some(&challenge)), Some(want));
    }

    #[test]
    fn capabilities_the_challenge_names_are_not_named_twice() {
        let challenge = json!({"access_token": {"xms_cc": {"essential": true, "values": ["CP1", "protapp"]}}});
        assert_eq!(with_cp1(Some(&challenge)), Some(challenge));
    }

    #[test]
    fn what_cannot_be_merged_is_passed_on_as_it_is() {
        for odd in [json!([1]), json!({"access_token": 1}), json!({"access_token": {"xms_cc": {"values": "CP1"}}})] {
            assert_eq!(with_cp1(Some(&odd)), Some(odd));
        }
        assert_eq!(merged(Some("{"), &["CP1".into()]).as_deref(), Some("{"));
    }
}
