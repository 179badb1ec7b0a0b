//! `broker-packaging DIRECTORY TARGET DATE`: what `packaging/dist` runs.

use std::env;
use std::path::Path;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [directory, target, date] = arguments.as_slice() else {
        bail!("usage: broker-packaging DIRECTORY TARGET DATE");
    };
    broker_packaging::write(Path::new(directory), date, target)
}
