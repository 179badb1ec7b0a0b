//! Programs that use an MSAL library with a cache in a file, as its samples do.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use anyhow::ensure;
use support::fake_as::ENTRA_CLIENT_ID;

use super::Peer;
use crate::stage::Server;

/// A tenth of the rounds: one takes a hundred times as long as the others.
const EVERY: usize = 20;

/// MSAL for Python; `BROKERD_TEST_MSAL` names a Python that has it, else the tests' own is used.
pub(super) async fn python(server: &Server) -> anyhow::Result<Peer> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python =
        std::env::var_os("BROKERD_TEST_MSAL").map_or_else(|| here.join("real/msal/venv/bin/python"), Into::into);
    ensure!(python.exists(), "there is no Python with it; tests/bench/run sets one up");
    start("MSAL Python, cache in a file", vec![python.into(), here.join("bench/peers/python.py").into()], server).await
}

/// MSAL for Node.js, from the packages beside its script.
pub(super) async fn node(server: &Server) -> anyhow::Result<Peer> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peers/node");
    ensure!(directory.join("node_modules").exists(), "its packages are not there; tests/bench/run gets them");
    start("MSAL Node, cache in a file", vec!["node".into(), directory.join("token.mjs").into()], server).await
}

/// Signs in, which fills the cache. The same command without the last word then prints the token from it.
async fn start(name: &'static str, fetch: Vec<OsString>, server: &Server) -> anyhow::Result<Peer> {
    let directory = tempfile::Builder::new().prefix("msal-").tempdir()?;
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, server.ca.pem())?;
    let environment = vec![
        ("HOME", directory.path().into()),
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("CACHE", directory.path().join("cache").into()),
        ("CA", ca_file.clone().into()),
        ("NODE_EXTRA_CA_CERTS", ca_file.into()),
        ("CLIENT_ID", ENTRA_CLIENT_ID.into()),
        ("AUTHORITY", format!("{}/contoso.onmicrosoft.com", server.fake.authority()).into()),
    ];
    let peer = Peer {
        name,
        every: EVERY,
        is_broker: false,
        fetch,
        environment,
        raw: None,
        processes: Vec::new(),
        _directory: directory,
    };
    let mut sign_in = peer.fetch();
    sign_in.arg("sign-in").stdin(Stdio::null());
    let signed_in = server.confirm(sign_in).await?;
    let said = String::from_utf8_lossy(&signed_in.stderr);
    ensure!(
        signed_in.status.success(),
        "signing in: {}",
        said.lines().find(|line| line.contains("Error: ")).unwrap_or_default()
    );
    Ok(peer)
}
