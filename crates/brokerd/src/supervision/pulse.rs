//! Is the daemon alive? A question that what must go round answers when it comes round.

use std::time::Duration;

use tokio::sync::watch;

use crate::broker::Broker;

/// A question to a loop, and its answer.
#[derive(Debug)]
pub(crate) struct Pulse {
    asked: watch::Sender<u64>,
    answered: watch::Sender<u64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { asked: watch::Sender::new(0), answered: watch::Sender::new(0) }
    }
}

impl Pulse {
    /// Asks, and waits until the loop has come round since.
    async fn felt(&self) {
        let mut question = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            question = *asked;
        });
        // The sender lives as long as `self`: there is no error.
        drop(self.answered.subscribe().wait_for(|answered| *answered >= question).await);
    }

    /// The loop's side: waits to be asked, and answers. Cancel safe.
    pub(crate) async fn beat(&self) {
        let answered = *self.answered.borrow();
        let mut asked = self.asked.subscribe();
        if let Ok(question) = asked.wait_for(|asked| *asked > answered).await {
            self.answered.send_replace(*question);
        }
    }
}

/// Asks the accept loop and the vault's thread for a sign of life, and says which gave none within `limit`.
///
/// A vault whose thread is inside a call of the store's is alive: how long the user leaves the keyring's prompt open is not for
/// brokerd to end, and a restart would only ask again.
pub(super) async fn feel(broker: &Broker, limit: Duration) -> Result<(), &'static str> {
    let accepting = tokio::time::timeout(limit, broker.accepting.felt());
    let (accepting, vault) = tokio::join!(accepting, broker.vault.is_alive(limit));
    match (accepting, vault) {
        (Ok(()), true) => Ok(()),
        (Err(_), true) => Err("the accept loop"),
        (Ok(()), false) => Err("the vault"),
        (Err(_), false) => Err("the accept loop and the vault"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_is_answered_by_a_loop_that_comes_round_and_by_no_other() {
        let pulse = Pulse::default();
        let limit = Duration::from_secs(1);
        assert!(tokio::time::timeout(limit, pulse.felt()).await.is_err(), "nobody answers");
        let go_round = async {
            loop {
                pulse.beat().await;
            }
        };
        tokio::select! {
            () = go_round => {}
            felt = tokio::time::timeout(limit, async { pulse.felt().await; pulse.felt().await; }) => felt.unwrap(),
        }
        assert!(tokio::time::timeout(limit, pulse.felt()).await.is_err(), "an old answer is none");
    }
}
