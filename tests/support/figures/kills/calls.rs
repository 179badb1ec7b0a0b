//! The system calls of a daemon, by `strace`: counted, and one of them made its last.
//!
//! `strace` counts calls by thread and by name, and kills on entry, so that the call itself does not happen. The kills at all
//! calls that somebody outside can see leave every state that one can find there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{self, Instant};

/// What somebody outside can see: the disk, the provider, the client, another daemon. Not what the end of a process does
/// anyway, which is to close. Names of other architectures are passed over (`?`).
const SEEN: &str = "?open,openat,?creat,write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg,recvfrom,recvmsg,\
    ?rename,renameat,renameat2,?unlink,unlinkat,?mkdir,mkdirat,?link,linkat,?chmod,fchmod,fchmodat,ftruncate,fallocate,\
    fsync,fdatasync,flock,socket,bind,listen,connect,?accept,accept4";

/// One call of a deed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Which thread's; none: the one that comes to it first.
    pub(super) thread: Option<String>,
    /// Its name.
    pub(super) name: String,
    /// The how many-eth of that name in that thread, from one.
    pub(super) number: usize,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, name, number } = self;
        write!(f, "{} {name} {number}", thread.as_deref().unwrap_or("any"))
    }
}

impl Call {
    /// The arguments by which `strace` makes this call the last.
    pub(super) fn injection(&self) -> [String; 4] {
        let Self { name, number, .. } = self;
        ["-e".into(), format!("trace={name}"), "-e".into(), format!("inject={name}:signal=KILL:when={number}")]
    }
}

/// A `strace` that is attached. Dropping it detaches.
pub(super) struct Strace {
    child: Child,
    _messages: Lines<BufReader<ChildStderr>>,
}

impl Strace {
    async fn attach(arguments: &[String], output: &Path, to: u32) -> anyhow::Result<Self> {
        let mut command = Command::new("strace");
        command.args(arguments).arg("-o").arg(output).args(["-p", &to.to_string()]);
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().context("strace")?;
        let mut messages = BufReader::new(child.stderr.take().context("stderr")?).lines();
        let first = messages.next_line().await?.unwrap_or_default();
        ensure!(first.contains("attached"), "{first}");
        Ok(Self { child, _messages: messages })
    }

    /// Attaches to a process so that this call is its last; `None` where there is no such thread.
    pub(super) async fn kill_at(pid: u32, call: &Call) -> anyhow::Result<Option<Self>> {
        let thread = threads(pid).into_iter().find(|(_, name)| Some(name) == call.thread.as_ref());
        let Some((thread, _)) = thread else { return Ok(None) };
        Self::attach(&call.injection(), Path::new("/dev/null"), thread).await.map(Some)
    }

    /// Returns when what it is attached to has ended.
    pub(super) async fn ended(&mut self) {
        // One that cannot be waited for has ended.
        drop(self.child.wait().await);
    }
}

/// Writes down the calls of a process.
pub(super) struct Trace {
    pid: u32,
    strace: Strace,
    output: NamedTempFile,
}

impl Trace {
    pub(super) async fn begin(pid: u32) -> anyhow::Result<Self> {
        let output = NamedTempFile::new()?;
        let [which, calls] = traced();
        // Of every thread; twice, and they would be written to a file each.
        let strace = Strace::attach(&["-f".into(), which, calls], output.path(), pid).await?;
        Ok(Self { pid, strace, output })
    }

    /// Ends it, and returns the calls in the order of their names.
    pub(super) async fn end(mut self) -> anyhow::Result<Vec<Call>> {
        let threads = threads(self.pid);
        let strace = self.strace.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        rustix::process::kill_process(strace.context("strace ended")?, rustix::process::Signal::TERM)?;
        self.strace.ended().await;
        let name_of = |thread: u32| threads.iter().find(|(id, _)| *id == thread).map(|(_, name)| name.clone());
        Ok(calls(&fs::read_to_string(self.output.path())?, name_of))
    }
}

/// The calls of a process that `strace` has written down and that was killed since. Of one that starts, the threads are not
/// told apart: it has them one after the other.
pub(super) async fn of_killed(output: &Path) -> anyhow::Result<Vec<Call>> {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let written = fs::read_to_string(output)?;
        if written.contains("+++ killed by") {
            return Ok(calls(&written, |_| None));
        }
        ensure!(Instant::now() < limit, "strace does not end");
        time::sleep(Duration::from_millis(20)).await;
    }
}

/// The arguments by which `strace` writes down the calls.
pub(super) fn traced() -> [String; 2] {
    ["-e".into(), format!("trace={SEEN}")]
}

/// Reads what `strace -f` has written. A file that is opened to be read is nothing to see.
fn calls(written: &str, name_of: impl Fn(u32) -> Option<String>) -> Vec<Call> {
    let mut counts: BTreeMap<(u32, &str), usize> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for line in written.lines() {
        let Some((thread, said)) = line.split_once(char::is_whitespace) else { continue };
        // Neither "<... openat resumed>" nor "--- SIGCHLD" nor "+++ exited" is another call.
        let Some((name, arguments)) = said.trim_start().split_once('(') else { continue };
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let (Ok(thread), true) = (thread.parse(), is_name) else { continue };
        let number = counts.entry((thread, name)).or_default();
        *number += 1;
        if !name.starts_with("open") || arguments.contains("O_CREAT") {
            calls.insert(Call { thread: name_of(thread), name: name.to_owned(), number: *number });
        }
    }
    calls.into_iter().collect()
}

/// The threads of a process, by what they are called.
fn threads(pid: u32) -> Vec<(u32, String)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let ids = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
    let name = |id: u32| Some((id, fs::read_to_string(format!("/proc/{pid}/task/{id}/comm")).ok()?.trim().to_owned()));
    ids.filter_map(name).collect()
}
