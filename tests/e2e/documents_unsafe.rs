//! Is `unsafe` where CONTRIBUTING.md says, and nowhere else?

use std::fs;
use std::path::Path;

use crate::documents::read;

/// The one crate that may (`docs/decisions/0014-windows.md`).
const MAY: &str = "crates/broker-windows";

#[test]
fn unsafe_is_forbidden_but_in_one_crate() {
    assert!(read("Cargo.toml").contains("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = fs::read_dir(root.join("crates")).expect("a directory");
    let crates = crates.map(|entry| format!("crates/{}", entry.expect("an entry").file_name().display()));
    let mut checked = 0;
    for member in crates.chain(["packaging".into(), "tests".into()]).filter(|member| member != MAY) {
        // What the workspace forbids, no attribute allows again.
        let manifest = read(&format!("{member}/Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{member} does not take the workspace's lints");
        checked += 1;
    }
    assert!(checked >= 7, "{checked} crates");
}
