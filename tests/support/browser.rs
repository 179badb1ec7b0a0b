//! A person at the verification page, as far as HTTP can tell: opens it, fills in its form, presses a button.

use std::io;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use tokio::net::TcpStream;
use url::{Position, Url};

use crate::exchange::{exchange, form, get};

/// Opens a verification page with the code in its address and confirms as that user.
pub async fn confirm(verification_uri_complete: &str, user: &str) -> io::Result<()> {
    decide(verification_uri_complete, &[("user", user), ("decision", "confirm")]).await
}

/// Opens a verification page with the code in its address and declines.
pub async fn deny(verification_uri_complete: &str) -> io::Result<()> {
    decide(verification_uri_complete, &[("decision", "deny")]).await
}

async fn decide(address: &str, pressed: &[(&str, &str)]) -> io::Result<()> {
    let address = Url::parse(address).map_err(io::Error::other)?;
    let host = &address[Position::BeforeHost..Position::AfterPort];
    let path = &address[Position::BeforePath..Position::AfterQuery];
    let page = ask(&address, get(host, path)).await?;
    let user_code = input_value(&page, "user_code").ok_or_else(|| unexpected(&page))?;
    let mut fields = vec![("user_code", user_code.as_str())];
    fields.extend(pressed);
    ask(&address, form(host, path, &fields)).await.map(drop)
}

/// Returns the value of the page's first input of that name.
fn input_value(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!(r#"name="{name}" value=""#))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

async fn ask(address: &Url, request: Request<Full<Bytes>>) -> io::Result<String> {
    let host = address.host_str().ok_or_else(|| io::Error::other("no host in the address"))?;
    let stream = TcpStream::connect((host, address.port_or_known_default().unwrap_or(80))).await?;
    let (status, page) = exchange(stream, request).await?;
    if status == 200 { Ok(page) } else { Err(unexpected(&page)) }
}

fn unexpected(page: &str) -> io::Error {
    io::Error::other(format!("not the page expected: {page}"))
}
