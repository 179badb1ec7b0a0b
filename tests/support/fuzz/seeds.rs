//! Inputs to begin with: good ones, and some that are nearly good.

/// Texts as inputs, each behind each of these first bytes; without any, as they are.
fn behind(choices: &[u8], texts: &[&str]) -> Vec<Vec<u8>> {
    if choices.is_empty() {
        return texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    }
    let each = |text: &&str| choices.iter().map(|choice| [&[*choice], text.as_bytes()].concat()).collect::<Vec<_>>();
    texts.iter().flat_map(each).collect()
}

pub(super) fn tokens() -> Vec<Vec<u8>> {
    behind(
        &[0x00, 0x01, 0x12, 0x23, 0x31],
        &[
            r#"{"access_token":"at-0123456789abcdef","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-0123456789abcdef","scope":"a b","id_token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."}"#,
            r#"{"access_token":"at-0123456789abcdef","token_type":"Bearer","expires_in":"3600","ext_expires_in":7200,"refresh_in":1800,"foci":"1","client_info":"eyJ1aWQiOiJ1IiwidXRpZCI6InQifQ"}"#,
            r#"{"device_code":"dc-0123456789abcdef","user_code":"WDJB-MJHT","verification_uri":"https://a.example/device","verification_uri_complete":"https://a.example/device?c=W","expires_in":900,"interval":5}"#,
            r#"{"error":"invalid_grant","error_description":"AADSTS50173: \u001b[31m revoked","suberror":"bad_token","error_codes":[50173],"correlation_id":"c","claims":"{\"access_token\":{}}"}"#,
            r#"{"error":{"code":"authorization_pending"},"status":400,"message":"slow_down"}"#,
            r#"{"access_token":"refresh_token","scope":"a b:","id_token":"eyJhbGciOiJub13394abc"}"#,
            "access_token=gho_0123456789abcdef&scope=repo&token_type=bearer",
            "error=slow_down&interval=10",
            "<html><a href=\"?error=1\">portal</a></html>",
        ],
    )
}

pub(super) fn metadata() -> Vec<Vec<u8>> {
    behind(
        &[],
        &[
            r#"{"issuer":"https://a.example","token_endpoint":"https://a.example/t","device_authorization_endpoint":"https://b.example/d","revocation_endpoint":"http://127.0.0.1:1/r","userinfo_endpoint":"http://a.example/u"}"#,
            r#"{"issuer":"https://login.example/{tenantid}/v2.0","token_endpoint":"https://a.example/t"}"#,
            r#"{"issuer":"https://a.example\u202e","token_endpoint":"http://a.example/t"}"#,
        ],
    )
}

pub(super) fn texts() -> Vec<Vec<u8>> {
    behind(
        &[],
        &[
            "go to https://a.example\u{1b}[31m and\r\nenter \u{202e}CODE\u{2066}\u{200b}\u{feff}",
            "https://a.example/device?code=A%1b",
            "http://127.0.0.1:8080/device",
            "https://user:pass@\u{0430}.example/",
            " WDJB-MJHT ",
            "\u{0}\u{7f}\u{85}\u{ad}\u{e0001}\u{1f600}\u{3164}",
        ],
    )
}

pub(super) fn configs() -> Vec<Vec<u8>> {
    behind(
        &[],
        &[
            "default_profile = \"work\"\n[store]\nkind = \"auto\"\n[profiles.work]\nprovider = \"entra\"\ntenant = \"contoso.onmicrosoft.com\"\nclient_id = \"c\"\nscopes = [\"User.Read\"]\n",
            "[profiles.sso]\nissuer = \"https://a.example\"\nclient_id = \"cli\"\nclient_secret = \"keyring\"\nproxy = \"none\"\nca_file = \"ca.pem\"\n[profiles.sso.extra_parameters]\nprompt = \"login\"\n",
            "[[hosts]]\nmatch = \"*.pkg.example.com\"\nprofile = \"sso\"\nusername = \"token\"\n[profiles.sso]\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"cli\"\n",
            "[store]\nkind = \"file\"\nkey_file = \"/k\"\n[prompt]\n",
            "[store]\nkind = ''''file\"\n", // ends before the line that would end it
            "profile = 1\n[profils]\n",
        ],
    )
}

pub(super) fn records() -> Vec<Vec<u8>> {
    let mut records = behind(&[], &["brokerd:1::", "brokerd:2:00:x", "brokerd:", "{}"]);
    records.push(brokerd::store::frame::encode(r#"{"refresh_token":"rt"}"#).as_bytes().to_vec());
    records
}

pub(super) fn sealed() -> Vec<Vec<u8>> {
    let whole = super::kept::seal();
    vec![whole[..whole.len() / 2].to_vec(), Vec::new(), whole]
}

pub(super) fn prompts() -> Vec<Vec<u8>> {
    let mut prompts = behind(&[], &["{}", r#"{"version":99,"prompts":{}}"#]);
    let marks = super::kept::marks();
    let text = String::from_utf8_lossy(&marks);
    let others = ["0", "1", "18446744073709551615"]
        .map(|interval| text.replace("\"interval\":5", &format!("\"interval\":{interval}")));
    prompts.extend(others.map(String::into_bytes));
    prompts.push(marks);
    prompts
}

pub(super) fn provider() -> Vec<Vec<u8>> {
    behind(
        &[],
        &[
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 75\r\n\r\n{\"access_token\":\"at-0123456789abcdef\",\"token_type\":\"Bearer\",\"expires_in\":9}",
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1c\r\n{\"access_token\":\"0123456789\"\r\nf\r\n,\"scope\":\"a b\"}\r\n0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"error\":\"invalid_scope\",\"error_description\":\"\\u001b[31m\u{202e}\",\"claims\":\"{\\\"\u{9b}x\\\":1}\"}",
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 26\r\n\r\n{\"error\":\"server_error\"}\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://a.example/\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 429 Too Many Requests\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n<html>",
        ],
    )
}

pub(super) fn stored() -> Vec<Vec<u8>> {
    let [grant, index] = super::kept::of_a_daemon();
    let of = |choice: u8, found: &[u8]| [&[choice], found].concat();
    vec![
        of(super::kept::GRANT, &grant),
        of(super::kept::INDEX, &index),
        of(super::kept::GRANT, b"{}"),
        of(super::kept::INDEX, br#"{"version":99,"accounts":[]}"#),
    ]
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    behind(
        &[],
        &[
            "GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n",
            "POST /v1/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 66\r\n\r\n{\"profile\":\"work\",\"interaction\":\"never\",\"scopes\":[\"a\"],\"timeout\":1}",
            "POST /v1/token HTTP/1.1\r\nhost: brokerd\r\nconnection: close\r\naccept: */*\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
            "POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "DELETE /v1/accounts/x HTTP/1.1\r\nhost: brokerd\r\n\r\nGET /v1/accounts HTTP/1.1\r\nhost: brokerd\r\n\r\n",
            "PUT /v1/client-secrets/work HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{\"client_secret\":\"s\"}",
            "GET http://brokerd/v1/prompts HTTP/1.0\r\nhost: brokerd\r\norigin: http://a.example\r\nexpect: 100-continue\r\n\r\n",
            "POST /v1/probe HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n{\"profile\":\"work\"}",
        ],
    )
}

pub(super) fn answers() -> Vec<Vec<u8>> {
    behind(
        &[0, 1, 2, 3],
        &[
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"accounts\":[]}",
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 133\r\n\r\n{\"access_token\":\"at\",\"token_type\":\"Bearer\",\"expires_on\":1795428900,\"scope\":\"a\",\"profile\":\"work\",\"account\":{\"id\":\"i\",\"username\":\"ada\"}}\n",
            "HTTP/1.1 202 Accepted\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n38\r\n{\"event\":\"error\",\"error\":\"cancelled\",\"error_description\":\"c\"}\n\r\n0\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"error\":\"shutting_down\",\"error_description\":\"d\",\"retry_after\":1}",
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n20\r\n{\"event\":\"lagged\",\"missed\":12}\n\r\n0\r\n\r\n",
        ],
    )
}
