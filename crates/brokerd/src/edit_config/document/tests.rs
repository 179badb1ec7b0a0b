use serde_json::json;

use super::*;

const FILE: &str = "\
# mine
default_profile = \"work\"   # every day

[store]
kind = \"auto\"    # whatever there is

# the company
[profiles.work]
provider  = \"entra\"
tenant    = \"contoso.onmicrosoft.com\"   # ours
client_id = \"1\"

# end
";

fn request(name: &str, settings: Json) -> AddProfile {
    let Json::Object(settings) = settings else { panic!("no object") };
    AddProfile { profile: name.into(), settings, ..AddProfile::default() }
}

fn sso() -> AddProfile {
    let settings =
        json!({"scopes": ["openid", "a b"], "client_id": "cli", "issuer": "https://i.example", "pkce": true});
    request("sso", settings)
}

const SSO: &str = "[profiles.sso]\nissuer = \"https://i.example\"\nclient_id = \"cli\"\npkce = true\nscopes = [\"openid\", \"a b\"]\n";

#[test]
fn a_first_profile_makes_a_file_of_its_own() {
    assert_eq!(add("", &sso()).unwrap().text, SSO);
    let default = AddProfile { default: true, ..sso() };
    assert_eq!(add("", &default).unwrap().text, format!("default_profile = \"sso\"\n\n{SSO}"));
    assert_eq!(add("# nothing yet\n", &sso()).unwrap().text, format!("# nothing yet\n\n{SSO}"));
}

#[test]
fn everything_else_stays_as_it_was() {
    let added = add(FILE, &sso()).unwrap();
    assert_eq!(added.text, format!("{FILE}\n{SSO}"));
    assert!(!added.replaced);
    assert_eq!(remove(&added.text, "sso").unwrap().text, FILE);
    let default = AddProfile { default: true, ..sso() };
    let expected = FILE.replace("= \"work\" ", "= \"sso\" ");
    assert_eq!(add(FILE, &default).unwrap().text, format!("{expected}\n{SSO}"));
}

#[test]
fn a_profile_is_replaced_where_it_is_and_only_if_so_asked() {
    let new = request("work", json!({"provider": "entra", "tenant": "fabrikam.com", "client_id": "2", "pkce": true}));
    assert!(matches!(add(FILE, &new), Err(EditError::Exists(name)) if name == "work"));
    let added = add(FILE, &AddProfile { replace: true, ..new.clone() }).unwrap();
    let expected = FILE.replace("contoso.onmicrosoft.com", "fabrikam.com").replace("\"1\"\n", "\"2\"\npkce = true\n");
    assert_eq!((added.text, added.replaced), (expected, true));
    let fewer = request("work", json!({"issuer": "https://i.example", "client_id": "1"}));
    let text = add(FILE, &AddProfile { replace: true, ..fewer }).unwrap().text;
    assert!(!text.contains("tenant") && !text.contains("provider"), "{text}");
}

#[test]
fn the_default_goes_with_its_profile() {
    let removed = remove(FILE, "work").unwrap();
    assert!(removed.was_default && !removed.text.contains("default_profile"), "{}", removed.text);
    assert!(removed.text.contains("kind = \"auto\"    # whatever there is"), "{}", removed.text);
    let middle = FILE.replace("# the company", "# the rest\n\n# the company").replace("# end", "# next\n[profiles.x]");
    let text = remove(&middle, "work").unwrap().text;
    assert!(
        text.ends_with("ever there is\n\n# the rest\n\n# next\n[profiles.x]\n"),
        "its own comment goes with it: {text}"
    );
    assert!(matches!(remove(FILE, "wrk"), Err(EditError::Unknown(_))));
    assert!(matches!(remove("", "work"), Err(EditError::Unknown(_))));
}

#[test]
fn profiles_in_other_spellings_are_edited_too() {
    let inline = "profiles = { work = { issuer = \"https://i.example\", client_id = \"1\" } }\n";
    let text = add(inline, &sso()).unwrap().text;
    let read: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(read["profiles"].as_table().unwrap().len(), 2, "{text}");
    assert!(!remove(&text, "work").unwrap().text.contains("\"1\""));
    let header = "[profiles]\n[profiles.work]\nclient_id = \"1\"\n[store]\nkind = \"auto\"\n";
    assert_eq!(add(header, &sso()).unwrap().text, format!("{header}\n{SSO}"));
}

#[test]
fn what_cannot_be_edited_is_an_error() {
    assert!(matches!(add("[profiles", &sso()), Err(EditError::Syntax(_))));
    assert!(matches!(add("profiles = 1", &sso()), Err(EditError::NoTable)));
    assert!(matches!(add("", &request("p", json!({"scopes": [1]}))), Err(EditError::Value(key)) if key == "scopes"));
    let body = add("\n[profiles", &sso()).unwrap_err().into_body(Path::new("/c"), "\n[profiles");
    assert!(body.error_description.starts_with("/c line 2"), "{body:?}");
}

#[test]
fn what_stands_in_a_value_stays_in_it() {
    let text =
        add("", &request("p", json!({"client_id": "a\"\n[store]\nkind = \"memory", "extra_parameters": {"a b": "c"}})));
    let read: toml::Table = toml::from_str(&text.unwrap().text).unwrap();
    assert_eq!(read["profiles"]["p"]["client_id"].as_str(), Some("a\"\n[store]\nkind = \"memory"));
    assert_eq!(read["profiles"]["p"]["extra_parameters"]["a b"].as_str(), Some("c"));
    assert!(!read.contains_key("store"));
}

#[test]
fn what_stands_above_the_default_outlives_it() {
    let profile = "[profiles.work]\nclient_id = \"1\"\n";
    // What the file begins with, what follows the default, and what is left.
    let cases = [
        ("# head\n\n# mine\n", "\n[store]\n\n", "# head\n\n[store]\n"),
        ("# head\n  \n  # mine\n  ", "[store]\n", "# head\n\n[store]\n"),
        ("# head\n\n", "# keys\nprompt.webhook = \"x\"\n\n", "# head\n\n# keys\nprompt.webhook = \"x\"\n"),
        ("# head\n\n", "hosts = []\n", "# head\n\nhosts = []\n"),
        ("# head\n\n", "[[sockets]]\n", "# head\n\n[[sockets]]\n"),
        ("# head\n\n# mine\n", "", "# head\n"),
        ("# head\n\n", "\n# work\n", "# head\n"),
        ("# the head, as nothing is above it\n", "hosts = []\n", "# the head, as nothing is above it\n\nhosts = []\n"),
        ("hosts = []\n# mine\n", "[store]\n", "hosts = []\n[store]\n"),
    ];
    for (head, next, left) in cases {
        let text = format!("{head}default_profile = \"work\"\n{next}{profile}");
        assert_eq!(remove(&text, "work").unwrap().text, left, "{text}");
    }
    assert!(remove(FILE, "work").unwrap().text.starts_with("# mine\n\n[store]\n"));
}

#[test]
fn what_stands_above_a_profile_outlives_it() {
    let cases = [
        (
            "[store]\n\n# a\n\n# own\n[profiles.work]\n[[sockets]]\n[hosts]\n",
            "[store]\n\n# a\n\n[[sockets]]\n[hosts]\n",
        ),
        ("# a\n\nprofiles.work.issuer = \"i\"\nprofiles.work.client_id = \"1\"\nhosts = []\n", "# a\n\nhosts = []\n"),
        ("# a\n\nprofiles.work = {}\n# b\n[store]\n", "# a\n\n# b\n[store]\n"),
        ("# a\n\nprofiles.work = {}\n# b\nprofiles.x = {}\n", "# a\n\n# b\nprofiles.x = {}\n"),
        ("[profiles]\n# a\n\n# own\nwork = {}\nx = {}\n", "[profiles]\n# a\n\nx = {}\n"),
        ("[profiles]\n# a\n\nwork.client_id = \"1\"\n\n[store]\n", "[profiles]\n# a\n\n[store]\n"),
        ("# the head\n[profiles.work]\n[profiles.x]\n", "# the head\n\n[profiles.x]\n"),
    ];
    for (text, left) in cases {
        assert_eq!(remove(text, "work").unwrap().text, left, "{text}");
    }
}

#[test]
fn line_ends_stay_as_they_are() {
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let middle = FILE.replace("# the company", "# the rest\n\n# the company").replace("# end", "# next\n[profiles.x]");
    let request = |name: &str| request(name, json!({"client_id": "2", "issuer": "https://i.example"}));
    let adds = [request("sso"), AddProfile { default: true, ..sso() }, AddProfile { replace: true, ..request("work") }];
    for file in [FILE, &middle, &FILE.replace("\"auto\"", "\"\"\"\nauto\"\"\"")] {
        for request in &adds {
            assert_eq!(add(&crlf(file), request).unwrap().text, crlf(&add(file, request).unwrap().text));
        }
        let left = remove(file, "work").unwrap().text;
        assert_eq!(remove(&crlf(file), "work").unwrap().text, crlf(&left));
        // One line end of the other kind: no comment is lost, no string is another, and all else has one kind.
        let mixed = remove(&crlf(file).replacen("\r\n", "\n", 1), "work").unwrap().text;
        assert_eq!(mixed, left.replace("\"\"\"\na", "\"\"\"\r\na"));
    }
}

#[test]
fn a_line_break_in_a_value_is_not_one_of_the_file() {
    let value = "a\n\"\\\u{7f}\r\n\u{1}'b";
    for file in [FILE.to_owned(), FILE.replace('\n', "\r\n")] {
        let text =
            add(&file, &request("p", json!({"client_id": value, "extra_parameters": {"k": value}}))).unwrap().text;
        let read: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(read["profiles"]["p"]["client_id"].as_str(), Some(value), "{text}");
        assert_eq!(read["profiles"]["p"]["extra_parameters"]["k"].as_str(), Some(value), "{text}");
        assert!(text.contains("\nclient_id = \"a\\n"), "{text}");
    }
}
