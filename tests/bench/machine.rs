//! The machine it was measured on, and what was measured.

use std::fs;
use std::process::Command;

use super::options::Options;

/// Describes both in a paragraph.
pub(crate) fn describe(options: &Options) -> anyhow::Result<String> {
    let cpus = std::thread::available_parallelism()?;
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown CPU".into());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let virtual_machine = field("/proc/cpuinfo", "flags").is_some_and(|flags| flags.contains("hypervisor"));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let version = Command::new(&options.binaries.brokerctl).arg("--version").output()?;
    Ok(format!(
        "{}{cpu}, {cpus} CPUs, {memory}, Linux {}, at a load of {}. {}: brokerctl, static, has {} kB, brokerd {} kB.\n\n",
        if virtual_machine { "a virtual machine: " } else { "" },
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
        String::from_utf8_lossy(&version.stdout).trim(),
        size(&options.binaries.brokerctl)? / 1000,
        size(&options.binaries.brokerd)? / 1000,
    ))
}

/// A file's size in bytes.
pub(crate) fn size(path: &std::path::Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(path)?.len())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
