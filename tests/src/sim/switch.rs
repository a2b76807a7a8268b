//! Decisions on each call at the gateway: its own switch with a dial plan, and features that it does not have
//! yet (several parties at once, another one after a refusal).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::metrics::Metrics;
use call_engine::acd::{State, Strategy};
use call_engine::{Action, Application, DialPlan, Pattern, RingGroup, RingStrategy, Rule};
use cordboard::centre::command::{Asked, By, Command, Refused};
use cordboard::centre::controller::{Controller, Setup};
use cordboard::centre::directory::Directory;
use cordboard::centre::event_stream::EventStream;
use cordboard::centre::journal::{Batch, Journal};
use cordboard::centre::last_agent::LastAgents;
use cordboard::centre::recovery::Recovery;
use cordboard::config::{Config, Member, Overflow, Park, Queue, QueueRef, Role, Staff, Work};
use cordboard::routing::{Reach, Routing};
use cordboard::switch::Request;
use sans_io::{Rng, Time};
use session_core::{
    Application as Sound, Coordinator, Dial, Event, Invitation, LegId, OnFailure, Party, SessionId,
};
use sip_stack::Application as _;
use tokio::sync::{mpsc, oneshot};

/// `1...` users, `2...` the first trunk, `3...` the second, `4...` user 1002 and both trunks at once, `5...` the first trunk
/// and, should it refuse, the second; `6...` a trunk written by hand; `9196` echo, `9664` music; nobody else. Who comes from
/// a trunk reaches the other one, and the one written by hand reaches the first. `7000` waits for an agent: 1001, 1002 or 1003, in this order; 1004 is their supervisor.
/// `7001` is a queue that nobody serves: its calls go to 1003. `8...` is answered, and user 1002 is invited by an owner of its own.
/// `7100` rings at 1001 and 1002 together, `7101` at one after the other and then at the second trunk.
pub struct Switch {
    real: cordboard::switch::Switch,
    overflow: BTreeSet<SessionId>,
    /// Invitations that are not the call centre's.
    invited: BTreeSet<LegId>,
    reported: mpsc::Receiver<Batch>,
    /// State that pages see.
    pub view: EventStream,
    journal: Journal,
}

/// Time that a branch may ring.
const RINGS: Duration = Duration::from_secs(25);

impl Switch {
    /// A switch of a gateway that starts now.
    #[must_use]
    pub fn new(now: Time) -> Switch {
        let rules = rules();
        let plan = DialPlan::new(rules, (1_001..=1_004).map(|user: u32| user.to_string()))
            .with_park(park().number, park().slots);
        let directory = Arc::new(Directory::of(&centre()));
        let (journal, reported) = mpsc::channel(100_000);
        let controller = Controller::new(
            now,
            Setup {
                directory: Arc::clone(&directory),
                epoch: 1,
                state: State::default(),
                metrics: Metrics::default(),
                recovery: Recovery::default(),
                last_agents: LastAgents::default(),
                rng: Rng::seeded(1),
                journal,
                hurry: Arc::default(),
                midnight: Box::new(|_| Time::ZERO),
            },
        );
        let view = EventStream::new(0);
        Switch {
            real: cordboard::switch::Switch::new(
                Routing::new(plan, BTreeMap::new()).reaching(Reach::new(BTreeMap::new(), groups(), park())),
                RINGS,
                Some(controller),
            ),
            overflow: BTreeSet::new(),
            invited: BTreeSet::new(),
            reported,
            journal: Journal::new(view.clone(), directory, Box::new(()), 0),
            view,
        }
    }

    /// Time at which [`Switch::timeout`] is due.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.real.deadline().map(|(at, _)| at)
    }

    /// Its time has come.
    pub fn timeout(&mut self, now: Time, calls: &mut Coordinator) {
        self.real.handle_timeout(now, calls);
        self.tell();
    }

    /// Somebody asks the call centre for something.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub fn ask(
        &mut self,
        now: Time,
        by: By,
        command: Command,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let (reply, mut answer) = oneshot::channel();
        let asked = Asked { by, command, reply };
        self.real.handle_request(now, Request::Centre(asked), calls);
        self.tell();
        answer.try_recv().expect("answered at once")
    }

    fn tell(&mut self) {
        while let Ok(batch) = self.reported.try_recv() {
            self.journal.keep(batch);
        }
    }

    /// Acts on an event of the gateway.
    pub fn handle(&mut self, now: Time, event: &Event, calls: &mut Coordinator) {
        match event {
            Event::Incoming { session, call, .. } if call.to.starts_with('4') => {
                let number = || call.to.clone();
                let parties = vec![
                    Party::User("1002".into()),
                    trunk("left", number()),
                    trunk("right", number()),
                ];
                calls.dial(now, *session, dial(parties, OnFailure::Reject));
            }
            Event::Incoming { session, call, .. } if call.to.starts_with('5') => {
                self.overflow.insert(*session);
                let parties = vec![trunk("left", call.to.clone())];
                calls.dial(now, *session, dial(parties, OnFailure::Tell));
            }
            Event::Incoming { session, leg, call } if call.to.starts_with('8') => {
                calls.answer(now, *leg, Some(Sound::Music));
                let invitation = Invitation {
                    party: Party::User("1002".into()),
                    caller: None,
                    ring_timeout: RINGS,
                    headers: Vec::new(),
                    diverted: Vec::new(),
                };
                self.invited.extend(calls.invite(now, *session, invitation));
            }
            Event::DialFailed { session, .. } if self.overflow.remove(session) => {
                let parties = vec![trunk("right", "3000".into())];
                calls.dial(now, *session, dial(parties, OnFailure::Reject));
            }
            _ => {
                if let Event::Ended { session, .. } = event {
                    self.overflow.remove(session);
                }
                self.real.handle(now, event.clone(), calls);
                if let Event::InvitationAnswered {
                    session,
                    invitation,
                    leg,
                } = event
                    && self.invited.remove(invitation)
                {
                    calls.admit_leg(now, *session, *leg);
                }
            }
        }
        self.tell();
    }
}

/// Configuration of the gateway: three agents, their supervisor, and a queue.
#[must_use]
pub fn config() -> Config {
    let users = (1_001..=1_004).map(|user: u32| {
        let user_of = session_core::User::new("cordboard");
        (user.to_string(), user_of)
    });
    Config {
        users: users.collect(),
        rules: rules(),
        realm: "gateway.test".into(),
        demo: false,
        ..centre()
    }
}

fn rules() -> Vec<Rule> {
    let rule = |pattern: &str, from: Option<&str>, action| Rule {
        from_trunk: from.map(str::to_owned),
        ..Rule::new(Pattern::parse(pattern).expect("a pattern"), action)
    };
    let trunk = |name: &str| Action::Trunk(name.into());
    let queue = |name: &str| Action::Queue {
        name: name.to_owned(),
        priority: None,
    };
    vec![
        rule("9196", None, Action::Application(Application::Echo)),
        rule("9664", None, Action::Application(Application::Music)),
        rule("1.", None, Action::User(None)),
        rule("2.", None, trunk("left")),
        rule("2.", Some("right"), trunk("left")),
        rule("2.", Some("hand"), trunk("left")),
        rule("3.", None, trunk("right")),
        rule("3.", Some("left"), trunk("right")),
        rule("6.", None, trunk("hand")),
        rule("7000", None, queue("support")),
        rule("7001", None, queue("night")),
        rule("7100", None, Action::Group("together".into())),
        rule("7101", None, Action::Group("in order".into())),
    ]
}

/// Calls are parked at `7200` and in the slots `7201` and `7202`.
fn park() -> Park {
    Park {
        number: "7200".into(),
        slots: ["7201", "7202"].map(str::to_owned).to_vec(),
        timeout: Duration::from_secs(20),
        limit: Duration::from_secs(120),
    }
}

/// Ring groups of 1001 and 1002.
fn groups() -> [RingGroup; 2] {
    let group = |name: &str, strategy, overflow: Option<&str>| RingGroup {
        name: name.to_owned(),
        members: ["1001", "1002"].map(str::to_owned).to_vec(),
        strategy,
        ring: Duration::from_secs(8),
        overflow: overflow.map(str::to_owned),
    };
    [
        group("together", RingStrategy::All, None),
        group("in order", RingStrategy::InOrder, Some("3000")),
    ]
}

fn centre() -> Config {
    let support = Queue {
        strategy: Strategy::Linear,
        ..Queue::new("support")
    };
    let night = Queue {
        leave_when_empty: true,
        overflow: Overflow::Number("1003".into()),
        ..Queue::new("night")
    };
    let mut config = Config {
        queues: vec![support, Queue::new("sales"), night],
        ..Config::default()
    };
    let agent = || Staff {
        roles: vec![Role::Agent],
        agent: Work {
            queues: vec![Member::of(QueueRef::named("support"))],
            ..Work::default()
        },
    };
    config.staff = ["1001", "1002", "1003"]
        .map(|name| (name.to_owned(), agent()))
        .into();
    let supervisor = Staff {
        roles: vec![Role::Supervisor],
        agent: Work::default(),
    };
    config.staff.insert("1004".into(), supervisor);
    config
}

fn trunk(name: &str, number: String) -> Party {
    Party::Trunk {
        name: name.into(),
        number,
    }
}

fn dial(parties: Vec<Party>, on_failure: OnFailure) -> Dial {
    Dial::together(parties, RINGS, on_failure)
}
