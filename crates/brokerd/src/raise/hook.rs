//! `[prompt] command`: tells a person of a prompt, for instance by a notification of the desktop.

use std::process::Stdio;
use std::time::Duration;

use broker_ipc::api::DevicePrompt;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// It is to tell and to end; what it starts to wait for a click is its own affair.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs the command. Its arguments are the configuration's, whatever a provider or a caller sent; the values are in its
/// environment. It hears nothing, and nothing it says is read. It is killed with what it started when its time is over or the
/// daemon leaves; dropping the future kills it alone.
pub(super) async fn run(command: Vec<String>, prompt: DevicePrompt, stop: CancellationToken) {
    run_until(command, prompt, over(tokio::time::sleep(LIMIT), stop)).await;
}

/// Ends when the command's time does. Returns why that is.
async fn over(limit: impl Future<Output = ()>, stop: CancellationToken) -> &'static str {
    tokio::select! {
        () = limit => "did not end in ten seconds",
        () = stop.cancelled() => "has not ended, and brokerd leaves",
    }
}

async fn run_until(command: Vec<String>, prompt: DevicePrompt, limit: impl Future<Output = &'static str>) {
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
    let ended = tokio::select! {
        ended = child.wait() => ended,
        why = limit => {
            tracing::warn!(program, "[prompt] command {why}: it is killed");
            return end(&mut child).await;
        }
    };
    match ended {
        Ok(status) if status.success() => tracing::debug!(program, "[prompt] command ran"),
        Ok(status) => tracing::warn!(program, %status, "[prompt] command failed"),
        Err(error) => tracing::warn!(program, %error, "[prompt] command was lost"),
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::pin::Pin;
    use std::time::Duration;

    use rustix::fs::{FileType, Mode};
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_command_that_does_not_end_is_killed_with_what_it_started() {
        end_both(async |command, prompt, limit| {
            run_until(command, prompt, over(limit, CancellationToken::new())).await;
        })
        .await;
    }

    #[tokio::test]
    async fn one_that_runs_when_the_daemon_leaves_is_killed_with_what_it_started() {
        end_both(async |command, prompt, limit| {
            let stop = CancellationToken::new();
            let forever = over(std::future::pending(), stop.clone());
            tokio::join!(run_until(command, prompt, forever), async {
                limit.await;
                stop.cancel();
            });
        })
        .await;
    }

    /// `run` is to end a command and what it started, at the limit it is given.
    async fn end_both(run: impl AsyncFnOnce(Vec<String>, DevicePrompt, Pin<Box<dyn Future<Output = ()>>>)) {
        let prompt = serde_json::json!({
            "id": "p", "user_code": "AB-CD", "verification_uri": "https://x.test", "expires_at": "2026-01-01T00:00:00Z",
            "expires_in": 1, "interval": 5, "profile": "work", "scopes": [], "requested_by": {},
        });
        let prompt: DevicePrompt = serde_json::from_value(prompt).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Both have the pipe open as long as they live: it ends with the second of them.
        let script = format!("exec 3>{}; sleep 600 & echo both run >&3; wait", pipe.display());
        let (begun, begins) = oneshot::channel();
        let (gone, ends) = oneshot::channel();
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(File::open(pipe).unwrap());
            let mut said = String::new();
            pipe.read_line(&mut said).unwrap();
            begun.send(said).unwrap();
            gone.send(pipe.read_to_end(&mut Vec::new()).unwrap()).unwrap();
        });
        let limit = async { assert_eq!(begins.await.unwrap(), "both run\n") };
        let ended = run(["sh", "-c", &script].map(str::to_owned).to_vec(), prompt, Box::pin(limit));
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it is killed");
        let said_later = tokio::time::timeout(Duration::from_secs(10), ends).await.expect("both have ended");
        assert_eq!(said_later, Ok(0));
    }
}
