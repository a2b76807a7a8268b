//! Actions of people in one run: some calls, each with its own patience, hold, digits and end.

use std::time::Duration;

use super::agent::{Heard, Link, State};
use super::network::Conditions;
use super::phone::Manner;
use super::world::{GATEWAY, World};

/// Outcome of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Calls begun.
    pub calls: usize,
    /// Calls that reached the gateway's application.
    pub sessions: usize,
    /// Those of them that were answered.
    pub answered: usize,
    /// INVITEs that arrived somewhere.
    pub invites: usize,
    /// Browsers that went away in a call.
    pub away: usize,
    /// Digits told.
    pub digits: usize,
    /// SIP messages.
    pub messages: u64,
    /// Digest of everything sent.
    pub digest: u64,
}

impl std::ops::AddAssign for Outcome {
    fn add_assign(&mut self, other: Outcome) {
        self.calls += other.calls;
        self.sessions += other.sessions;
        self.answered += other.answered;
        self.invites += other.invites;
        self.away += other.away;
        self.digits += other.digits;
        self.messages += other.messages;
        self.digest ^= other.digest;
    }
}

/// Numbers that are called: see [`super::Switch`].
const NUMBERS: [&str; 9] = [
    "1001", "1002", "2000", "3000", "4000", "5000", "9196", "9664", "7",
];

/// One run with so many calls: signalling only, or with real media at the nodes. Panics when anything is left or wrong.
#[must_use]
pub fn tell(seed: u64, calls: usize, conditions: Conditions) -> Outcome {
    tell_on(1, seed, calls, conditions)
}

/// The same with so many shards at the gateway.
#[must_use]
pub fn tell_on(shards: u8, seed: u64, calls: usize, conditions: Conditions) -> Outcome {
    let mut world = World::with_shards(seed, conditions, None, shards);
    world.on_heard = react;
    world.media_delay = seed % 4 * 20;
    if std::env::var_os("CORDBOARD_SIM_ALOUD").is_some() {
        world.wire.aloud = true;
        world.wire.draw(world.now);
    }
    let tabs = [world.browser("1001"), world.browser("1002")];
    for phone in &mut world.phones {
        phone.hangs_up = world
            .rng
            .percent(50)
            .then(|| Duration::from_millis(world.rng.below(40_000)));
    }
    for _ in 0..calls {
        let begin = 500 + world.rng.below(20_000);
        world.after(begin, begin_call);
    }
    if world.rng.percent(30) {
        let (tab, at, back) = (
            tabs[world.rng.below(2) as usize],
            world.rng.below(40_000),
            world.rng.below(6_000),
        );
        world.after(at, move |w| {
            w.cut(tab);
            w.after(back, move |w| w.connect(tab));
        });
    }
    if world.rng.percent(15) {
        let (tab, at, says_so) = (
            tabs[world.rng.below(2) as usize],
            world.rng.below(40_000),
            world.rng.percent(50),
        );
        world.after(at, move |w| w.vanish(tab, says_so));
    }
    if world.rng.percent(20) {
        // Unregistering ends no call.
        let (tab, at) = (tabs[world.rng.below(2) as usize], world.rng.below(40_000));
        world.after(at, move |w| w.agent(tab, |a| a.register(0)));
    }
    world.run(Duration::from_secs(150));
    for tab in tabs {
        world.vanish(tab, false);
    }
    for node in 1..world.nodes.len() {
        let left: Vec<_> = world.nodes[node].coordinator.sessions().collect();
        for session in left {
            world.hang_up(node, session);
        }
    }
    world.run(Duration::from_secs(400));
    let invites = world.assert_over();
    let gateway = &world.nodes[GATEWAY];
    assert_eq!(
        gateway.records.len(),
        gateway.count("incoming"),
        "a record of every session"
    );
    Outcome {
        calls: world.begun,
        sessions: gateway.records.len(),
        answered: gateway.records.iter().filter(|r| r.answered.is_some()).count(),
        invites,
        away: gateway.count("away"),
        digits: gateway.count("digit"),
        messages: world.wire.messages,
        digest: world.wire.digest,
    }
}

/// Somebody calls somebody.
fn begin_call(world: &mut World) {
    let number = NUMBERS[world.rng.below(NUMBERS.len() as u64) as usize];
    let patience = 200 + world.rng.below(40_000);
    if world.rng.percent(50) {
        let tab = world.rng.below(2) as usize;
        if world.agents[tab].link != Link::WebSocket(None) {
            let late = world.rng.percent(10);
            let id = world.agent(tab, |a| a.invite(number, late));
            world.begun += 1;
            return world.after(patience, move |w| w.agent(tab, |a| a.cancel(&id)));
        }
    }
    let node = 1 + world.rng.below(2) as usize;
    let Some(session) = world.node_calls(node, number) else {
        return;
    };
    world.begun += 1;
    world.after(patience, move |w| w.hang_up(node, session));
    if world.rng.percent(20) {
        let at = world.rng.below(patience);
        world.after(at, move |w| {
            let now = w.now;
            if let Some(leg) = w.nodes[node].coordinator.legs(session)[1] {
                w.nodes[node].coordinator.hold(now, leg);
                w.drain(node);
                w.after(1_500, move |w| {
                    let now = w.now;
                    w.nodes[node].coordinator.resume(now, leg);
                    w.drain(node);
                });
            }
        });
    }
}

/// Reaction of the person at a tab to an event there.
fn react(world: &mut World, tab: usize, heard: Heard) {
    match heard {
        Heard::Invited(id) => {
            let manner = Manner::any(&mut world.rng);
            let (wait, rings) = match manner {
                Manner::AtOnce | Manner::Refuses(_, 0) => (0, false),
                Manner::Rings(ms) | Manner::Early(ms) | Manner::Refuses(_, ms) => (ms, true),
                Manner::Silent => (u64::MAX, true),
            };
            if rings {
                let ring = id.clone();
                world.after(2, move |w| w.agent(tab, |a| a.ring(&ring, 180, false)));
            }
            if wait < u64::MAX {
                world.after(wait, move |w| {
                    w.agent(tab, |a| match manner {
                        Manner::Refuses(code, _) => a.reject(&id, code, ""),
                        _ => a.answer(&id),
                    });
                });
            }
        }
        Heard::Up(id) => up(world, tab, id),
        _ => {}
    }
}

fn up(world: &mut World, tab: usize, id: String) {
    refresh(world, tab, id.clone());
    let talk = world.rng.below(60_000);
    let end = id.clone();
    world.after(talk, move |w| w.agent(tab, |a| a.bye(&end)));
    if world.rng.percent(30) {
        let (at, hold, resume) = (world.rng.below(talk + 1), id.clone(), id.clone());
        let direction = if world.rng.percent(50) {
            "sendonly"
        } else {
            "inactive"
        };
        world.after(at, move |w| w.agent(tab, |a| a.reinvite(&hold, direction)));
        world.after(at + 2_000, move |w| {
            w.agent(tab, |a| a.reinvite(&resume, "sendrecv"))
        });
    }
    if world.rng.percent(30) {
        let at = world.rng.below(talk + 1);
        world.after(at, move |w| w.agent(tab, |a| a.digit(&id, '5')));
    }
}

/// UPDATE every 45 s, as JsSIP.
fn refresh(world: &mut World, tab: usize, id: String) {
    world.after(45_000, move |w| {
        if w.agents[tab].state(&id) == State::Up {
            w.agent(tab, |a| a.update(&id));
            refresh(w, tab, id);
        }
    });
}
