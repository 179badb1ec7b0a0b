//! One world: a daemon, a provider, two people, and what happens to them.

mod look;
mod meanwhile;
mod people;
mod sign_out;

use std::sync::{Arc, Mutex, PoisonError};

use broker_client::{Interaction, TokenRequest};
use brokerd::store::memory::MemoryStore;
use fastrand::Rng;
use support::fake_as::{Fault, Grant, Request, Rotation};
use support::hostile::found_in;
use support::rig::{Rig, Wire, interactive, never, s};
use tokio::sync::mpsc;
use tokio::time::{self, Instant};
use tracing::level_filters::LevelFilter;

use self::sign_out::{Departure, Gone};
use crate::ask::{Asking, Eyes, Leaving, Prompted, WAITS, ask};
use crate::check::Watch;
use crate::story::Story;
use crate::trouble::{self, Trouble};

const PEOPLE: [&str; 2] = ["alice", "bob"];
/// Most clients that stand still at a time.
const STALLED: usize = 16;

/// How somebody stands, as far as the world knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Never signed in, signed out, or put out by an administrator.
    Out,
    /// Signed in: that must not be lost.
    In,
    /// Something happened that nobody can make good: it may be lost.
    Doubtful,
}

pub(crate) struct World {
    rig: Rig,
    rng: Rng,
    story: Story,
    rotation: Rotation,
    trouble: Trouble,
    store_down_since: Option<Instant>,
    /// How each stands, and since when.
    stand: [(Stand, Instant); 2],
    store: Arc<Mutex<MemoryStore>>,
    asking: Vec<Asking>,
    asked: usize,
    /// When somebody last waited for a person.
    waited: Instant,
    /// Clients who say half of what they want, or do not hear the answer.
    stalled: Vec<Wire>,
    /// What people were shown and did not answer.
    unanswered: Vec<Prompted>,
    prompts: (mpsc::UnboundedSender<Prompted>, mpsc::UnboundedReceiver<Prompted>),
    watch: Watch,
    leaving: Leaving,
    departures: Vec<Departure>,
    /// When the last sign-out of each began.
    left: [Option<Instant>; 2],
    /// When the sign-in began that each was last seen to have come back by.
    came: [Option<Instant>; 2],
    gone: [Option<Gone>; 2],
    /// When somebody else than was asked for last consented as each.
    misled: [Option<Instant>; 2],
    /// How often all that is signed in was put in doubt.
    doubts: u64,
    /// Since when the store has refused nothing but deletions.
    store_well_since: Instant,
}

impl World {
    pub(crate) fn new(seed: u64, story: Story) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rotations = [Rotation::Strict, Rotation::Grace(s(60)), Rotation::Tolerant, Rotation::None];
        let rotation = rotations[rng.usize(0..4)];
        // What the provider says of its refresh tokens, and is kinder than: what is lost here is not lost by that.
        let kept = (rng.u8(0..8) == 0).then(|| rng.u64(1800..14_400));
        let rig = Rig::setup()
            .log_level(LevelFilter::INFO)
            .chance(seed)
            .provider(|options| {
                options.rotation = rotation;
                options.token_overrides.extend(kept.map(|seconds| ("refresh_expires_in".into(), seconds.into())));
            })
            .profile(if kept.is_some() { "keep_alive = true" } else { "" })
            .start();
        story.tell(format!("a world with {rotation:?}, kept alive {kept:?}"));
        Self {
            rng,
            story,
            rotation,
            trouble: Trouble::default(),
            store_down_since: None,
            stand: [(Stand::Out, Instant::now()); 2],
            store: Arc::new(Mutex::new(rig.store.clone())),
            asking: Vec::new(),
            asked: 0,
            waited: Instant::now(),
            stalled: Vec::new(),
            unanswered: Vec::new(),
            prompts: mpsc::unbounded_channel(),
            watch: Watch::default(),
            leaving: Leaving::default(),
            departures: Vec::new(),
            left: [None; 2],
            came: [None; 2],
            gone: [None, None],
            misled: [None; 2],
            doubts: 0,
            store_well_since: Instant::now(),
            rig,
        }
    }

    /// Somebody is signed in, or all would be silence.
    pub(crate) async fn begin(&mut self) {
        let count = self.rng.usize(1..=2);
        for (index, name) in PEOPLE.iter().enumerate().take(count) {
            let request = TokenRequest { account: Some(format!("{name}@example.com")), ..interactive() };
            self.rig.sign_in_with(&request, name).await;
            self.stand[index] = (Stand::In, Instant::now());
        }
    }

    /// Something happens, time passes, and everything is looked at.
    pub(crate) async fn step(&mut self) {
        match self.rng.u8(0..116) {
            0..30 => self.ask(false),
            30..42 => self.ask(true),
            42..47 => self.leave(),
            47..52 => self.crowd(),
            52..62 => {
                let told = trouble::at_provider(&mut self.rng, &self.rig.fake);
                self.story.tell(told);
            }
            62..70 => self.heal_provider(),
            70..78 => self.trouble_store(),
            78..83 => self.crash().await,
            83..87 => self.restart().await,
            87..90 => self.sign_out().await,
            90..92 => self.revoke(),
            92..95 => self.set_clock(),
            95..98 => self.stall().await,
            98..100 => self.come_back(),
            100..104 => self.hurry_away().await,
            104..108 => self.reload().await,
            108..114 => self.meanwhile().await,
            _ => self.stop_amid_consent().await,
        }
        let (begin, nobody) = (Instant::now(), self.asking.is_empty() && self.departures.is_empty());
        self.pass().await;
        self.look();
        if nobody {
            self.watch.look_at_idle(&self.rig.fake, begin);
        }
    }

    /// All trouble ends: whoever is signed in gets a token, without a person.
    pub(crate) async fn end(&mut self) {
        self.rig.fake.clear();
        self.story.tell("all trouble ends");
        trouble::heal(&self.rig.store, &mut self.trouble);
        self.store_down_since = None;
        while !self.asking.is_empty() {
            self.leave();
        }
        time::sleep(s(2 * 3600)).await;
        self.look();
        assert!(self.departures.is_empty(), "a sign-out has no end");
        let prompts = self.rig.client.prompts().await.expect("the daemon answers");
        assert!(prompts.prompts.is_empty(), "prompts that nobody waits for: {prompts:?}");
        assert_eq!(found_in(&self.rig.log()), None, "in the log");
        for (name, (stand, _)) in PEOPLE.iter().zip(self.stand) {
            if stand == Stand::In {
                let request = TokenRequest { account: Some(format!("{name}@example.com")), ..never() };
                self.story.tell(format!("{name} is looked for"));
                self.rig.token(&request).await;
            }
        }
        let begin = Instant::now();
        self.rig.stop().await;
        assert!(begin.elapsed() <= s(10), "the exit took {:?}", begin.elapsed());
    }

    fn ask(&mut self, interactive: bool) {
        let name = self.rng.choice(PEOPLE).expect("there are two");
        // A person consents to what the profile asks for, so that every scope of it can be had.
        let scopes: Vec<String> = match self.rng.u8(0..4) {
            0 if !interactive => vec!["read".into()],
            1 if !interactive => vec!["write".into()],
            _ => Vec::new(),
        };
        let request = TokenRequest {
            account: Some(format!("{name}@example.com")),
            scopes,
            min_validity: (self.rng.u8(0..4) == 0).then(|| self.rng.u64(0..4000)),
            force_refresh: self.rng.u8(0..5) == 0,
            interaction: (!interactive).then_some(Interaction::Never),
            timeout: Some(self.rng.u64(WAITS.0..=WAITS.1)),
            ..TokenRequest::default()
        };
        self.start(request);
    }

    fn start(&mut self, request: TokenRequest) {
        self.asked += 1;
        let number = self.asked;
        self.story.tell(format!(
            "{number} asks for {:?} {:?}, {:?}, at least {:?}, force {}, within {:?}",
            request.account,
            request.scopes,
            request.interaction,
            request.min_validity,
            request.force_refresh,
            request.timeout
        ));
        let eyes = Eyes {
            server: self.rig.fake.clone(),
            store: Arc::clone(&self.store),
            prompts: self.prompts.0.clone(),
            leaving: Arc::clone(&self.leaving),
        };
        let task = self.rig.spawn(ask(self.rig.new_client(), request.clone(), eyes));
        self.asking.push(Asking { number, request, since: Instant::now(), task });
    }

    /// Some who want the same.
    fn crowd(&mut self) {
        let name = self.rng.choice(PEOPLE).expect("there are two");
        let request = TokenRequest { account: Some(format!("{name}@example.com")), timeout: Some(60), ..never() };
        for _ in 0..self.rng.u8(2..6) {
            self.start(request.clone());
        }
    }

    fn leave(&mut self) {
        if self.asking.is_empty() {
            return;
        }
        let asking = self.asking.swap_remove(self.rng.usize(0..self.asking.len()));
        self.story.tell(format!("{} leaves", asking.number));
        if asking.request.interaction != Some(Interaction::Never) {
            self.waited = Instant::now();
        }
        asking.task.abort();
    }

    /// Guarantee 4: a client that stands still delays nobody, which everybody else's deadline shows.
    async fn stall(&mut self) {
        if self.stalled.len() == STALLED {
            self.stalled.clear();
        }
        let request = self.rig.post("/v1/token", r#"{"interaction":"never"}"#);
        let (room, sent) = if self.rng.bool() { (4096, &request[..request.len() / 2]) } else { (1, &request[..]) };
        self.story.tell(format!("a client stands still after {} bytes", sent.len()));
        let mut wire = self.rig.narrow_wire(room).await;
        let sending = time::timeout(s(1), wire.try_send(sent));
        drop(sending.await);
        self.stalled.push(wire);
    }

    fn heal_provider(&mut self) {
        self.rig.fake.clear();
        self.story.tell("the provider is well");
        // An answer that gets lost is one that nobody can make good where a refresh token is good once.
        if self.rotation == Rotation::Tolerant && self.rng.bool() {
            self.rig.fake.script(Grant::RefreshToken, Fault::LoseAnswer);
            self.story.tell("and will lose an answer");
        }
    }

    fn trouble_store(&mut self) {
        let told = trouble::at_store(&mut self.rng, &self.rig.store, &mut self.trouble);
        self.story.tell(told);
        if self.trouble.shaky || self.trouble.store {
            self.store_well_since = Instant::now();
        }
        self.store_down_since = if self.trouble.store { self.store_down_since.or(Some(Instant::now())) } else { None };
    }

    /// A power cut. What is in the air then is lost for good only where a refresh token is good once, or where the next
    /// daemon cannot ask at once: a fault that waits for its request may be longer than the grace.
    async fn crash(&mut self) {
        let unsaved = self.rig.client.accounts().await.map_or(true, |accounts| {
            accounts
                .accounts
                .iter()
                .any(|account| serde_json::to_value(account.state).is_ok_and(|state| state == "unsaved"))
        });
        let doubtful = self.may_lose_what_is_in_the_air() || unsaved || self.trouble.store || self.trouble.shaky;
        self.story.tell(format!("the power fails, {}", if doubtful { "at a bad moment" } else { "" }));
        if doubtful {
            self.doubt();
        }
        self.rig.crash().await;
        self.stalled.clear();
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = self.rig.store.clone();
        // The next store is a copy without the switches.
        (self.trouble.store, self.trouble.shaky, self.store_down_since) = (false, false, None);
        self.rig.run();
        self.watch.reborn(&self.rig.fake);
    }

    /// The daemon has left, and the next one begins. A refresh that took longer than a daemon that leaves may wait is as after a crash.
    fn has_stopped(&mut self, begin: Instant) {
        assert!(begin.elapsed() <= s(10), "the exit took {:?}", begin.elapsed());
        if self.may_lose_what_is_in_the_air() {
            self.story.tell("and leaves a refresh in the air");
            self.doubt();
        }
        self.rig.run();
        self.watch.reborn(&self.rig.fake);
    }

    /// Whether the provider is at a refresh whose answer nobody will hear, and the next daemon cannot make that good.
    fn may_lose_what_is_in_the_air(&self) -> bool {
        let forgiving = matches!(self.rotation, Rotation::Tolerant | Rotation::None);
        let grace = matches!(self.rotation, Rotation::Grace(_)) && self.rig.fake.is_well() && !self.trouble.store;
        let is_under_way =
            |request: &Request| request.is(Grant::RefreshToken) && request.ended.is_none() && !request.hangs;
        !forgiving && !grace && self.rig.fake.log().iter().any(is_under_way)
    }

    fn doubt(&mut self) {
        self.doubts += 1;
        for (stand, _) in &mut self.stand {
            if *stand == Stand::In {
                *stand = Stand::Doubtful;
            }
        }
    }

    async fn restart(&mut self) {
        self.story.tell("the daemon is told to leave, and starts again");
        if self.trouble.store || self.trouble.shaky {
            self.doubt();
        }
        let begin = Instant::now();
        self.rig.stop().await;
        self.has_stopped(begin);
    }

    /// The configuration is as it was: nothing happens.
    async fn reload(&mut self) {
        self.story.tell("the configuration is read again");
        let begin = Instant::now();
        let reloaded = self.rig.client.reload().await.expect("it is good");
        assert!(reloaded.changed.is_empty(), "{reloaded:?}");
        assert!(begin.elapsed() <= s(1), "a reload took {:?}", begin.elapsed());
    }

    fn revoke(&mut self) {
        let index = self.rng.usize(0..2);
        self.story.tell(format!("an administrator puts {} out", PEOPLE[index]));
        self.rig.fake.revoke_user(PEOPLE[index]);
        self.stand[index] = (Stand::Out, Instant::now());
    }

    fn set_clock(&mut self) {
        let seconds = match self.rng.u8(0..3) {
            0 => self.rng.i64(1..86_400),
            1 => self.rng.i64(86_400..20 * 365 * 86_400),
            _ => -self.rng.i64(1..86_400),
        };
        self.story.tell(format!("the wall clock is set by {seconds} s"));
        self.rig.set_wall_clock(seconds);
    }
}
