//! How an account's task ends: signed out, or with the daemon.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::hold::{Brought, Hold};
use super::jobs::{Job, landing};
use super::{Account, Command};
use crate::explain::Refusal;
use crate::flight::Progress;

/// How long a refresh may keep a consent from being saved at the end. Whoever ends the daemon gives it some seconds.
const PATIENCE: Duration = Duration::from_secs(2);

impl Account {
    /// Signed out: whoever still waits is told, and a sign-in that came meanwhile begins the account anew.
    pub(super) fn end(mut self, mut mailbox: mpsc::Receiver<Command>) {
        mailbox.close();
        while let Ok(command) = mailbox.try_recv() {
            if matches!(command, Command::Token { .. } | Command::Adopt { .. }) {
                self.accept(command);
            }
        }
        for job in std::mem::take(&mut self.queue) {
            match job {
                Job::Refresh { progress, .. } => {
                    let gone = Refusal::sign_in("the account was signed out meanwhile");
                    progress.send_replace(Progress::Landed(Err(gone)));
                }
                Job::Adopt { brought, reply } => {
                    let (broker, Brought { grant, token, from }) = (Arc::clone(&self.broker), *brought);
                    self.broker.tasks.spawn(async move { drop(reply.send(broker.adopt(&from, grant, token).await)) });
                }
                Job::SignOut { .. } | Job::Lend { .. } | Job::Load | Job::Save | Job::Rewrite => {}
            }
        }
    }

    /// The daemon stops: what is in the air lands and is saved, also a sign-in that came last; what waits is told. What the store may have
    /// lost is written once more.
    pub(super) async fn leave(mut self, mut mailbox: mpsc::Receiver<Command>) {
        self.shelf.hide();
        self.turn_away();
        let (mut cut_at, mut in_doubt) = (None, true);
        loop {
            while self.air.is_some() {
                let until = cut_at.unwrap_or_else(|| Instant::now() + PATIENCE);
                cut_at = self.has_consent().then_some(until);
                tokio::select! {
                    biased;
                    done = landing(&mut self.air) => self.land(done),
                    Some(command) = mailbox.recv() => self.accept(command),
                    () = self.underway.hangs_past(cut_at) => self.cut_off(),
                }
                self.turn_away();
            }
            while let Ok(command) = mailbox.try_recv() {
                self.accept(command);
            }
            self.turn_away();
            if matches!(self.hold, Some(Hold::Unsaved { .. }))
                && self.queue.is_empty()
                && !self.broker.stop_now.is_cancelled()
            {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = self.broker.stop_now.cancelled() => return,
                }
                self.queue.push_back(Job::Save);
            }
            // One that is locked may open a dialog when it is asked.
            if self.queue.is_empty()
                && self.broker.vault.status().state == "ok"
                && std::mem::take(&mut in_doubt)
                && let Some(due) = self.settles_doubt()
            {
                self.queue.push_back(due);
            }
            self.take_off();
            if self.air.is_none() {
                return;
            }
        }
    }

    /// Tells everybody whose turn will not come any more. Grants of sign-ins stay: they are saved.
    fn turn_away(&mut self) {
        for job in std::mem::take(&mut self.queue) {
            match job {
                Job::Refresh { progress, .. } => {
                    progress.send_replace(Progress::Landed(Err(Refusal::shutting_down())));
                }
                Job::Adopt { .. } => self.queue.push_back(job),
                Job::SignOut { reply, .. } => drop(reply.send(Err(Refusal::shutting_down().body))),
                Job::Lend { .. } | Job::Load | Job::Save | Job::Rewrite => {}
            }
        }
    }
}
