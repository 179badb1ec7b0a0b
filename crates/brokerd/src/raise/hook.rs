//! `[prompt] command`: tells a person of a prompt, for instance by a notification of the desktop.

use std::process::Stdio;
use std::time::Duration;

use broker_ipc::api::DevicePrompt;
use tokio::process::Command;

/// It is to tell and to end; what it starts to wait for a click is its own affair.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs the command. Its arguments are the configuration's, whatever a provider or a caller sent; the values are in its
/// environment. It hears nothing, and nothing it says is read. Dropping the future kills it.
pub(super) async fn run(command: Vec<String>, prompt: DevicePrompt) {
    let Some((program, arguments)) = command.split_first() else { return };
    let mut hook = Command::new(program);
    hook.args(arguments)
        .envs(values(&prompt))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    // Its own group, so that what it started ends with it.
    #[cfg(unix)]
    hook.process_group(0);
    let mut child = match hook.spawn() {
        Ok(child) => child,
        Err(error) => return tracing::warn!(program, %error, "[prompt] command cannot be started"),
    };
    match tokio::time::timeout(LIMIT, child.wait()).await {
        Ok(Ok(status)) if status.success() => tracing::debug!(program, "[prompt] command ran"),
        Ok(Ok(status)) => tracing::warn!(program, %status, "[prompt] command failed"),
        Ok(Err(error)) => tracing::warn!(program, %error, "[prompt] command was lost"),
        Err(_) => {
            tracing::warn!(program, "[prompt] command did not end in ten seconds and is killed");
            end(&mut child).await;
        }
    }
}

/// What the command is told. Everything has been cleaned when the prompt was made; no token and no device code is in it.
fn values(prompt: &DevicePrompt) -> Vec<(&'static str, String)> {
    let by = &prompt.requested_by;
    let values = [
        ("BROKERD_PROMPT_ID", Some(prompt.id.clone())),
        ("BROKERD_PROFILE", Some(prompt.profile.clone())),
        ("BROKERD_ACCOUNT", prompt.account.clone()),
        ("BROKERD_SCOPES", Some(prompt.scopes.join(" "))),
        ("BROKERD_USER_CODE", Some(prompt.user_code.clone())),
        ("BROKERD_VERIFICATION_URI", Some(prompt.verification_uri.clone())),
        ("BROKERD_VERIFICATION_URI_COMPLETE", prompt.verification_uri_complete.clone()),
        ("BROKERD_EXPIRES_AT", Some(prompt.expires_at.clone())),
        ("BROKERD_REQUESTED_BY", by.command.clone()),
        ("BROKERD_REQUESTED_BY_PID", by.pid.map(|pid| pid.to_string())),
    ];
    // A NUL would keep the command from being started.
    let clean = |text: String| text.replace('\0', "");
    values.into_iter().filter_map(|(name, value)| Some((name, clean(value?)))).collect()
}

#[cfg(unix)]
async fn end(child: &mut tokio::process::Child) {
    let group = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
    if let Some(group) = group {
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    child.wait().await.ok();
}

#[cfg(not(unix))]
async fn end(child: &mut tokio::process::Child) {
    child.kill().await.ok();
}
