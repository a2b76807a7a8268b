//! Users and queues that are added, changed and removed while the gateway runs, over the whole gateway in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cordboard::auth::Role;
use cordboard::auth::accounts::Accounts;
use cordboard::auth::password::Passwords;
use cordboard::centre::command::{Asked, By, Command, Refused};
use cordboard::centre::statistics::Statistics;
use cordboard::centre::view::{CallPhase, Intent, IntentKind, Status};
use cordboard::config::{Member, Overflow, Queue, Work};
use cordboard::provisioning::{Kind, Loaded, Match, Provisioning, ProvisioningError, UserSettings};
use cordboard_tests::sim::{Conditions, State, World, config};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const SECOND: Duration = Duration::from_secs(1);

/// A gateway and what its API would change it with.
struct Live {
    world: World,
    provisioning: Provisioning,
    asked: mpsc::Receiver<Asked>,
    runtime: Runtime,
}

impl Live {
    fn new() -> Live {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let loaded = runtime.block_on(Loaded::read(config(), None)).expect("loaded");
        let statistics = Arc::new(Statistics::new(loaded.directory()));
        let (controller, asked) = mpsc::channel(8);
        let accounts = Accounts::new(&[1; 32], Passwords::new());
        Live {
            world: World::new(1, Conditions::perfect(), None),
            provisioning: loaded.start(Arc::new(controller), accounts, statistics),
            asked,
            runtime,
        }
    }

    /// Makes a change; the gateway carries out commands meanwhile.
    fn change<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &mut self,
        change: impl FnOnce(Provisioning) -> F,
    ) -> T {
        let mut done = self.runtime.spawn(change(self.provisioning.clone()));
        loop {
            let asked = self.runtime.block_on(async {
                tokio::select! {
                    done = &mut done => Err(done.expect("no panic")),
                    asked = self.asked.recv() => Ok(asked.expect("not stopped")),
                }
            });
            match asked {
                Err(done) => return done,
                Ok(Asked { by, command, reply }) => {
                    let result = self.world.ask(by, command);
                    let _ = reply.send(result);
                }
            }
        }
    }

    fn add_queue(&mut self, queue: Queue) -> String {
        let now = self.world.now;
        let (id, version) = self
            .change(move |provisioning| async move { provisioning.put_queue(now, None, queue).await })
            .expect("a queue");
        assert_eq!(version, 1);
        id
    }

    fn put_user(
        &mut self,
        known: Option<(String, Match)>,
        user: UserSettings,
    ) -> Result<(String, u64), ProvisioningError> {
        let now = self.world.now;
        self.change(move |provisioning| async move {
            let known = known.as_ref().map(|(id, wanted)| (id.as_str(), *wanted));
            provisioning.put_user(now, known, user).await
        })
    }

    fn remove(&mut self, kind: Kind, id: &str) -> Result<(), ProvisioningError> {
        let (now, id) = (self.world.now, id.to_owned());
        self.change(move |provisioning| async move { provisioning.remove(now, kind, &id, Match::Any).await })
    }

    /// A user in a tab, available.
    fn available(&mut self, id: &str, name: &str) -> usize {
        let tab = self.world.browser(name);
        assert!(self.world.run_until(SECOND, |w| w.agents[tab].registered));
        let intent = Intent {
            intent: IntentKind::Available,
            reason: None,
        };
        let agent = id.to_owned();
        self.world
            .ask(By::Agent(agent.clone()), Command::Intent { agent, intent })
            .expect("an agent");
        tab
    }

    /// The phone of an agent rings and is answered.
    fn answers(&mut self, tab: usize) {
        let rings = |w: &World| {
            let mut calls = w.agents[tab].calls.iter();
            calls
                .find(|(_, call)| call.state == State::Incoming)
                .map(|(id, _)| id.clone())
        };
        assert!(
            self.world.run_until(2 * SECOND, |w| rings(w).is_some()),
            "the agent is not called"
        );
        let id = rings(&self.world).expect("it rings");
        self.world.agent(tab, |agent| agent.answer(&id));
        assert!(
            self.world
                .run_until(2 * SECOND, |w| w.agents[tab].state(&id) == State::Up)
        );
        self.world.run(Duration::from_millis(100));
    }

    fn status(&self, id: &str) -> Option<Status> {
        let agents = |agents: &BTreeMap<_, cordboard::centre::view::Agent>| agents.get(id).map(|a| a.status);
        self.world.switch.view.read(|view| agents(&view.agents))
    }

    fn phases(&self) -> Vec<CallPhase> {
        self.world
            .switch
            .view
            .read(|view| view.calls.values().map(|call| call.state).collect())
    }
}

fn queue(name: &str, number: &str) -> Queue {
    Queue {
        number: Some(number.into()),
        ..Queue::new(name)
    }
}

fn agent(name: &str, queues: &[&str]) -> UserSettings {
    UserSettings {
        name: name.into(),
        display: String::new(),
        roles: vec![Role::Agent],
        agent: Work {
            queues: queues.iter().map(|id| Member::of((*id).into())).collect(),
            ..Work::default()
        },
        password: None,
        sip_password: Some("cordboard".into()),
    }
}

#[test]
fn a_queue_and_an_agent_that_are_added_take_a_call_at_once() {
    let mut live = Live::new();
    live.world.node_calls(1, "7777").expect("a call");
    live.world.run(SECOND);
    assert_eq!(live.phases(), [], "nobody has this number yet");
    let billing = live.add_queue(queue("billing", "7777"));
    let shown = |w: &World| w.switch.view.read(|view| view.queues.contains_key(&billing));
    assert!(shown(&live.world), "the wallboard shows it");
    live.world.node_calls(1, "7777").expect("a call");
    live.world.run(SECOND);
    assert_eq!(live.phases(), [CallPhase::Waiting]);

    let (clara, _) = live.put_user(None, agent("clara", &[&billing])).expect("a user");
    assert_eq!(live.status(&clara), Some(Status::Offline));
    let tab = live.available(&clara, "clara");
    live.answers(tab);
    assert_eq!(live.phases(), [CallPhase::Talking]);
    assert_eq!(live.status(&clara), Some(Status::Talking));

    // Neither goes while they talk.
    assert_eq!(
        live.remove(Kind::User, &clara),
        Err(ProvisioningError::Refused(Refused::AgentBusy))
    );
    assert_eq!(
        live.remove(Kind::Queue, &billing),
        Err(ProvisioningError::Refused(Refused::QueueBusy))
    );
    let mut phone_only = agent("clara", &[]);
    phone_only.roles.clear();
    assert_eq!(
        live.put_user(Some((clara.clone(), Match::Version(1))), phone_only),
        Err(ProvisioningError::Refused(Refused::AgentBusy))
    );
    assert_eq!(live.status(&clara), Some(Status::Talking));
    assert_eq!(live.phases(), [CallPhase::Talking]);
}

#[test]
fn what_is_removed_is_gone_at_once() {
    let mut live = Live::new();
    let billing = live.add_queue(queue("billing", "7777"));
    let (clara, _) = live.put_user(None, agent("clara", &[&billing])).expect("a user");
    let tab = live.available(&clara, "clara");
    assert_eq!(live.status(&clara), Some(Status::Available));
    live.remove(Kind::User, &clara).expect("removed");
    assert_eq!(live.status(&clara), None);
    live.world.node_calls(1, "7777").expect("a call");
    live.world.run(2 * SECOND);
    assert_eq!(live.phases(), [CallPhase::Waiting]);
    assert!(live.world.agents[tab].calls.is_empty(), "nobody is called");
    assert_eq!(
        live.remove(Kind::Queue, &billing),
        Err(ProvisioningError::Refused(Refused::QueueBusy))
    );
    let call = live
        .world
        .switch
        .view
        .read(|view| view.calls.keys().next().cloned())
        .expect("a call");
    live.world
        .ask(By::Supervisor("usr_1004".into()), Command::HangUp { call })
        .expect("ended");
    live.world.run(SECOND);
    live.remove(Kind::Queue, &billing).expect("removed");
    live.world
        .switch
        .view
        .read(|view| assert!(!view.queues.contains_key(&billing)));
    live.world.node_calls(1, "7777").expect("a call");
    live.world.run(SECOND);
    assert_eq!(live.phases(), [], "the number is nobody's again");
}

#[test]
fn another_queue_of_an_agent_counts_for_calls_that_wait() {
    let mut live = Live::new();
    let (first, second) = (
        live.add_queue(queue("first", "7771")),
        live.add_queue(queue("second", "7772")),
    );
    let (clara, version) = live.put_user(None, agent("clara", &[&first])).expect("a user");
    let tab = live.available(&clara, "clara");
    live.world.node_calls(1, "7772").expect("a call");
    live.world.run(2 * SECOND);
    assert_eq!(live.phases(), [CallPhase::Waiting]);
    live.put_user(
        Some((clara.clone(), Match::Version(version))),
        agent("clara", &[&second]),
    )
    .expect("changed");
    live.answers(tab);
    assert_eq!(live.phases(), [CallPhase::Talking]);
    let other = agent("clara", &[&first]);
    assert_eq!(
        live.put_user(Some((clara, Match::Version(version))), other),
        Err(ProvisioningError::Changed)
    );
}

#[test]
fn a_phone_that_is_registered_takes_calls_once_its_user_is_an_agent() {
    let mut live = Live::new();
    let billing = live.add_queue(queue("billing", "7777"));
    let mut user = agent("clara", &[]);
    user.roles = vec![Role::Supervisor];
    let (clara, version) = live.put_user(None, user).expect("a user");
    let tab = live.world.browser("clara");
    assert!(live.world.run_until(SECOND, |w| w.agents[tab].registered));
    live.put_user(
        Some((clara.clone(), Match::Version(version))),
        agent("clara", &[&billing]),
    )
    .expect("changed");
    let intent = Intent {
        intent: IntentKind::Available,
        reason: None,
    };
    let command = Command::Intent {
        agent: clara.clone(),
        intent,
    };
    live.world.ask(By::Agent(clara), command).expect("an agent");
    live.world.node_calls(1, "7777").expect("a call");
    live.answers(tab);
}

#[test]
fn another_sip_password_ends_a_registration_and_a_queue_that_others_lead_to_stays() {
    let mut live = Live::new();
    let (first, second) = (
        live.add_queue(queue("first", "7771")),
        live.add_queue(queue("second", "7772")),
    );
    let leads = Queue {
        overflow: Overflow::Queue(second.as_str().into()),
        ..queue("first", "7771")
    };
    let now = live.world.now;
    let id = first.clone();
    live.change(move |provisioning| async move {
        provisioning.put_queue(now, Some((&id, Match::Any)), leads).await
    })
    .expect("changed");
    assert_eq!(
        live.remove(Kind::Queue, &second),
        Err(ProvisioningError::InUse("first".into()))
    );
    let (clara, _) = live.put_user(None, agent("clara", &[&first])).expect("a user");
    live.available(&clara, "clara");
    let changed = UserSettings {
        sip_password: Some("another one".into()),
        ..agent("clara", &[&first])
    };
    live.put_user(Some((clara.clone(), Match::Any)), changed)
        .expect("changed");
    live.world.run(SECOND);
    assert_eq!(live.status(&clara), Some(Status::Unreachable));
}

#[test]
fn another_password_to_sign_in_ends_a_registration_and_leaves_a_call() {
    let mut live = Live::new();
    let billing = live.add_queue(queue("billing", "7777"));
    let (clara, _) = live.put_user(None, agent("clara", &[&billing])).expect("a user");
    let (dora, _) = live.put_user(None, agent("dora", &[&billing])).expect("a user");
    let tab = live.available(&clara, "clara");
    live.world.node_calls(1, "7777").expect("a call");
    live.answers(tab);
    live.available(&dora, "dora");
    let changed = |name| UserSettings {
        password: Some("another one".into()),
        sip_password: None,
        ..agent(name, &[&billing])
    };
    for (id, name) in [(&clara, "clara"), (&dora, "dora")] {
        live.put_user(Some((id.clone(), Match::Any)), changed(name))
            .expect("changed");
    }
    live.world.run(SECOND);
    assert_eq!(live.status(&clara), Some(Status::Talking));
    assert_eq!(live.phases(), [CallPhase::Talking]);
    assert_eq!(live.status(&dora), Some(Status::Unreachable));
}
