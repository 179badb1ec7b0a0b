//! Keeps `brokerctl` thin: a process that lives for a millisecond has no use for a runtime, TLS or a keyring.

use std::process::Command;

/// What must not be linked, by the beginning of the package's name.
const FORBIDDEN: &[&str] = &[
    "aws-lc",
    "broker-oauth",
    "brokerd",
    "clap_mangen",
    "dbus",
    "futures",
    "http-body",
    "hyper",
    "keyring",
    "libdbus",
    "linux-keyutils",
    "mio",
    "native-tls",
    "oauth2",
    "openssl",
    "reqwest",
    "ring",
    "rustls",
    "secret-service",
    "security-framework",
    "tokio",
    "tower",
    "tracing",
    "url",
    "webpki",
    "zbus",
];

#[test]
fn brokerctl_links_nothing_heavy() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "-p", "brokerctl", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let packages: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(packages.contains(&"httparse") && packages.contains(&"interprocess"), "{tree}");
    let heavy: Vec<_> =
        packages.iter().filter(|package| FORBIDDEN.iter().any(|forbidden| package.starts_with(forbidden))).collect();
    assert!(heavy.is_empty(), "{heavy:?}");
}
