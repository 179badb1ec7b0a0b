//! Who makes room when all of it is taken and nobody is idle: the process that holds the most.
//!
//! While there is room, a crowd of one process is as good as any. Once there is none, waiting for somebody to leave would let
//! one process keep all others out for good: a stream of events has no end, and a token may be waited for for a day.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Whoever holds no more than so many connections has not taken the room.
const FEW: usize = 2;
/// At most one line about it in this time.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Who holds connections: a process. Those that the platform gives no id of are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Holder(pub(super) Option<i64>);

/// Who gives way to one more connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The newest connection of the process that holds the most.
    Newest(u64, Holder),
    /// The one that came: nobody holds more than its own process.
    Newcomer(Holder),
    /// Nobody: they are many, and each holds a few. One of them must leave.
    Nobody,
}

/// Judges who gives way to a newcomer, where these connections are open. `None`: who comes is not known yet.
pub(super) fn judge(open: impl Iterator<Item = (Holder, u64)>, newcomer: Option<Holder>) -> Verdict {
    let mut holders = HashMap::<Holder, (usize, u64)>::new();
    for (holder, id) in open {
        let (count, newest) = holders.entry(holder).or_default();
        *count += 1;
        *newest = id.max(*newest);
    }
    let own = newcomer.and_then(|holder| holders.get(&holder)).map_or(0, |(count, _)| *count);
    let most = holders.into_iter().map(|(holder, (count, newest))| (count, newest, holder)).max();
    match most {
        Some((count, newest, holder)) if count > FEW && count > own + 1 => Verdict::Newest(newest, holder),
        Some((count, ..)) if count > FEW => newcomer.map_or(Verdict::Nobody, Verdict::Newcomer),
        _ => Verdict::Nobody,
    }
}

/// How often something happened that others bring about as often as they like, since that was last told.
#[derive(Default)]
pub(super) struct Tally {
    times: u64,
    told: Option<Instant>,
}

impl Tally {
    /// Counts one more, and returns how many are to be told of: none if that was done a moment ago.
    pub(super) fn count(&mut self) -> Option<u64> {
        self.times += 1;
        if self.told.is_some_and(|told| told.elapsed() < BETWEEN_LINES) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.times))
    }

    /// Somebody gave way.
    pub(super) fn gave_way(&mut self, Holder(pid): Holder) {
        if let Some(times) = self.count() {
            tracing::warn!(pid, times, "all connections are taken: the process that holds the most of them gives way");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections of these processes, in the order they came.
    fn judged(open: &[i64], newcomer: Option<i64>) -> Verdict {
        let open = open.iter().zip(0..).map(|(pid, id)| (Holder(Some(*pid)), id));
        judge(open, newcomer.map(|pid| Holder(Some(pid))))
    }

    #[test]
    fn the_process_that_holds_the_most_gives_way() {
        let (seven, eight) = (Holder(Some(7)), Holder(Some(8)));
        assert_eq!(judged(&[7, 7, 8, 7, 8], Some(9)), Verdict::Newest(3, seven));
        assert_eq!(judged(&[7, 8, 8, 8, 8], Some(7)), Verdict::Newest(4, eight), "to one that holds less");
        assert_eq!(judged(&[7, 7, 7, 8], Some(7)), Verdict::Newcomer(seven), "not to itself");
        assert_eq!(judged(&[7, 7, 7, 8, 8], Some(8)), Verdict::Newcomer(eight), "nobody would be better off");
        assert_eq!(judged(&[7, 7, 8, 8, 9], Some(10)), Verdict::Nobody, "nobody has taken the room");
        assert_eq!(judged(&[7, 7, 8, 8, 9], Some(7)), Verdict::Nobody);
        assert_eq!(judged(&[7, 7, 7, 8], None), Verdict::Newest(2, seven), "whoever comes");
        assert_eq!(judged(&[], None), Verdict::Nobody);
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_all_the_time_is_told_now_and_then() {
        let mut tally = Tally::default();
        let counted = [0; 3].map(|_| tally.count());
        assert_eq!(counted, [Some(1), None, None]);
        tokio::time::advance(BETWEEN_LINES).await;
        assert_eq!([tally.count(), tally.count()], [Some(3), None]);
    }
}
