//! Is a provider reached whatever family its addresses are of, and where only one of a name's addresses answers?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use anyhow::{Context, Result};
use support::fake_as::FakeAs;
use support::processes::Daemon;

use crate::real_parts::skip;
use crate::stage::{Stage, options};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Signs in at a server that listens at this address and nowhere else, and refreshes over a new connection.
async fn round(address: IpAddr, by_name: bool) -> Result<()> {
    let server = FakeAs::listen_at(address, options()).await?;
    if by_name {
        let issuer = server.issuer();
        let (_, port) = issuer.rsplit_once(':').context("a port")?;
        server.reconfigure(|options| options.issuer = format!("http://localhost:{port}"));
    }
    let stage = Stage::at(server);
    // This machine is never behind a proxy, by whatever address.
    let launch = Daemon::launch(&stage.home).config(&stage.config()).env("ALL_PROXY", "http://127.0.0.1:1");
    let _daemon = launch.start().await;
    let token = stage.sign_in("alice").await;
    stage.server.drop_connections();
    // By its next answer brokerd has seen that: what is sent into a connection as it closes may have arrived, and is not repeated.
    stage.ok("status").await;
    assert_ne!(stage.ok("get-token --force-refresh").await.trim_end(), token);
    assert_eq!(stage.refreshes(), 1);
    Ok(())
}

/// Whether this machine has the address; where not, the test is on record as skipped.
fn can(test: &str, address: IpAddr) -> Result<bool> {
    if TcpListener::bind((address, 0)).is_err() {
        skip(test, &format!("this machine has no {address}"))?;
        return Ok(false);
    }
    Ok(true)
}

#[tokio::test]
async fn an_ipv6_address_is_a_provider_as_any() -> Result<()> {
    if can("addresses::an_ipv6_address_is_a_provider_as_any", V6)? {
        round(V6, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_name_with_nobody_at_its_ipv6_address_is_reached_over_ipv4() -> Result<()> {
    if can("addresses::a_name_with_nobody_at_its_ipv6_address_is_reached_over_ipv4", V4)? {
        round(V4, true).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_name_with_nobody_at_its_ipv4_address_is_reached_over_ipv6() -> Result<()> {
    if can("addresses::a_name_with_nobody_at_its_ipv4_address_is_reached_over_ipv6", V6)? {
        round(V6, true).await?;
    }
    Ok(())
}
