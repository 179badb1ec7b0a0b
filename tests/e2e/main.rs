//! End to end: real processes, and with them real parts where the machine has them (`tests/run`).
#![cfg_attr(test, expect(clippy::expect_used, clippy::panic, reason = "tests and their helpers"))]
#![cfg_attr(all(test, unix), expect(clippy::unwrap_used, reason = "tests"))]

#[cfg(unix)]
mod addresses;
#[cfg(target_os = "linux")]
mod audit;
#[cfg(unix)]
mod ca_file;
#[cfg(target_os = "linux")]
mod clocks;
#[cfg(unix)]
mod commands;
#[cfg(unix)]
mod crowd;
#[cfg(unix)]
mod curl;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(unix)]
mod doctor_way;
#[cfg(test)]
mod documents;
#[cfg(unix)]
#[cfg(test)]
mod documents_commands;
#[cfg(test)]
mod documents_links;
#[cfg(test)]
mod documents_openapi;
#[cfg(test)]
mod documents_unsafe;
#[cfg(unix)]
mod elsewhere;
#[cfg(unix)]
mod environment;
#[cfg(unix)]
mod exec;
#[cfg(unix)]
mod exit_codes;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod helpers;
#[cfg(target_os = "linux")]
mod kernel_quota;
#[cfg(unix)]
mod kills;
#[cfg(target_os = "linux")]
mod kills_at_calls;
#[cfg(test)]
mod launchd;
#[cfg(unix)]
mod leaks;
#[cfg(unix)]
mod life;
#[cfg(target_os = "linux")]
mod load;
mod main_job;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(unix)]
mod owners;
#[cfg(target_os = "linux")]
mod packages;
#[cfg(target_os = "linux")]
mod packages_made;
#[cfg(target_os = "linux")]
mod pictures;
#[cfg(unix)]
mod profiles;
#[cfg(unix)]
mod prompts;
#[cfg(unix)]
mod real_clients;
#[cfg(unix)]
mod real_keyring;
#[cfg(unix)]
mod real_msal;
#[cfg(unix)]
mod real_parts;
#[cfg(test)]
#[cfg(unix)]
mod real_parts_selftest;
#[cfg(unix)]
mod real_provider;
#[cfg(unix)]
mod real_schemathesis;
#[cfg(target_os = "linux")]
mod real_systemd;
#[cfg(target_os = "linux")]
mod real_terminal;
#[cfg(test)]
mod schema;
#[cfg(target_os = "linux")]
mod silent_clients;
#[cfg(unix)]
mod small_clients;
#[cfg(unix)]
mod sockets;
#[cfg(unix)]
mod sockets_crowd;
mod stage;
#[cfg(unix)]
mod strangers;
#[cfg(target_os = "linux")]
mod swap;
#[cfg(unix)]
mod tls_faults;
#[cfg(unix)]
mod unsaved;
#[cfg(windows)]
mod windows;
