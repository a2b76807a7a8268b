//! The machine itself: its state, its inputs and its outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use media_core::control::{self, Command, LegId};
use media_core::sdp::Negotiator;
use sans_io::{Deadline, Rng, Time, Timers, earlier};
use sip_core::auth::{Algorithm, Challenger};
use sip_core::endpoint::{self, Endpoint, QueryId, UsageId};
use sip_core::flow::Destination;
use sip_core::registrar::{self, Registrar};
use sip_core::uri::Uri;

use bytes::Bytes;

use crate::SessionId;
use crate::config::{Access, Config};
use crate::event::{Event, Source};
use crate::forks::Forks;
use crate::guard::{self, Guard};
use crate::leg::{Hears, Leg, Media, OwnMusic, Presence, State};
use crate::quota::{Bucket, Excess};
use crate::rights::{Right, Way};
use crate::session::Session;
use crate::verb::Account;

/// The one authority on live calls.
///
/// Verbs take effect at once; their outputs are drained with [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) endpoint: Endpoint,
    pub(crate) registrar: Registrar,
    pub(crate) challenger: Challenger,
    /// For clients over WebSocket.
    pub(crate) browser_challenger: Challenger,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) legs: BTreeMap<LegId, Leg>,
    pub(crate) usages: BTreeMap<UsageId, LegId>,
    /// Legs of the directory's users.
    pub(crate) user_legs: BTreeMap<String, BTreeSet<LegId>>,
    /// Callers whose ACK came.
    pub(crate) acked: BTreeSet<LegId>,
    /// Users registered over each flow.
    pub(crate) rights: BTreeMap<Way, Right>,
    pub(crate) guard: Guard,
    /// Messages of banned sources that were ignored since the start.
    pub(crate) silenced: u64,
    pub(crate) accounts: BTreeMap<u64, Account>,
    /// Users who were asked for a sign of life, by request.
    pub(crate) probes: BTreeMap<endpoint::RequestId, String>,
    /// Offers that ring to replace a leg.
    pub(crate) transfers: BTreeMap<LegId, LegId>,
    /// Buckets of trunks and users whose call rate is limited.
    pub(crate) buckets: BTreeMap<Source, Bucket>,
    pub(crate) excess: Excess,
    pub(crate) timers: Timers<Timer>,
    pub(crate) out: VecDeque<Output>,
    pub(crate) endpoint_deadline: Deadline,
    /// True if names of trunks are followed.
    pub(crate) follows: bool,
    next: u64,
}

/// Timers of the coordinator itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Grace(LegId),
    Register(u64),
    Session(SessionId),
    Goodbye(LegId),
    Restore(LegId),
    Silence(LegId),
    Absent(SessionId),
    Rights,
}

/// Inputs.
#[derive(Debug)]
pub enum Input {
    /// From the network, by way of the transports.
    Sip(endpoint::Input),
    /// From a media shard.
    Media {
        /// The shard.
        shard: u8,
        /// The event.
        event: control::Event,
    },
    /// Addresses that the name of a trunk resolves to now; empty if it does not resolve.
    Located {
        /// As in [`Output::Follow`].
        trunk: String,
        /// Addresses that its calls come from.
        addresses: Vec<IpAddr>,
    },
    /// The deadline passed.
    Timeout,
}

/// Outputs.
#[derive(Debug)]
pub enum Output {
    /// A SIP message to send. `token` comes back in `TransmitFailed`.
    Transmit {
        /// Destination.
        to: Destination,
        /// One whole message.
        data: Bytes,
        /// Names this transmission.
        token: u64,
    },
    /// A SIP URI to resolve (RFC 3263).
    Resolve {
        /// Comes back in `Resolved`.
        query: QueryId,
        /// URI to resolve.
        uri: Uri,
    },
    /// Trunks whose names are to be followed from now on, and no others: [`Input::Located`] reports each change.
    Follow {
        /// Names of trunks, and what to resolve (RFC 3263).
        names: Vec<(String, Uri)>,
    },
    /// To a media shard.
    Media {
        /// The shard.
        shard: u8,
        /// The command.
        command: Command,
    },
    /// To the application.
    Event(Event),
    /// Nothing more now; wake me then.
    Timeout(Deadline),
}

/// Counts of live objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sessions.
    pub sessions: usize,
    /// Legs.
    pub legs: usize,
    /// Legs of browsers among them.
    pub browser_legs: usize,
    /// Contacts registered.
    pub contacts: usize,
    /// SIP transactions and dialogs.
    pub endpoint: endpoint::Counts,
    /// Messages of banned sources that got no answer, since the start.
    pub silenced: u64,
    /// Requests refused or left unanswered since the start.
    pub totals: endpoint::Totals,
    /// Calls refused since the start.
    pub excess: Excess,
}

impl Coordinator {
    /// A coordinator without calls.
    #[must_use]
    pub fn new(config: Config, mut rng: Rng) -> Coordinator {
        let mut coordinator = Coordinator {
            endpoint: Endpoint::new(config.endpoint.clone(), rng.fork()),
            registrar: Registrar::new(registrar::Config {
                max_contacts: config.max_contacts,
                ..registrar::Config::default()
            }),
            challenger: Challenger::new(&*config.realm, config.algorithms.clone(), rng.fork()),
            browser_challenger: Challenger::new(&*config.realm, vec![Algorithm::Md5], rng.fork()),
            sessions: BTreeMap::new(),
            legs: BTreeMap::new(),
            usages: BTreeMap::new(),
            user_legs: BTreeMap::new(),
            acked: BTreeSet::new(),
            rights: BTreeMap::new(),
            guard: Guard::new(guard_of(&config)),
            silenced: 0,
            accounts: BTreeMap::new(),
            probes: BTreeMap::new(),
            transfers: BTreeMap::new(),
            buckets: BTreeMap::new(),
            excess: Excess::default(),
            timers: Timers::default(),
            out: VecDeque::new(),
            endpoint_deadline: None,
            follows: false,
            next: 0,
            rng,
            config,
        };
        coordinator.follow_trunks();
        coordinator
    }

    /// Takes one input. Never fails: bad input becomes an answer, a counter or an event.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Sip(input) => {
                if let endpoint::Input::FlowClosed { flow } = &input {
                    let flow = *flow;
                    self.registrar.flow_closed(flow);
                    self.endpoint.handle_input(now, input);
                    self.flow_lost(now, flow);
                    self.tell_reachable();
                } else if self.is_passed_over(now, &input) {
                    self.silenced += 1;
                } else {
                    self.endpoint.handle_input(now, input);
                }
            }
            Input::Media { event, .. } => self.on_media(now, event),
            Input::Located { trunk, addresses } => self.located(&trunk, addresses),
            Input::Timeout => {
                self.endpoint.handle_input(now, endpoint::Input::Timeout);
                self.registrar.handle_timeout(now);
                self.tell_reachable();
                while let Some(timer) = self.timers.pop_due(now) {
                    match timer {
                        Timer::Grace(leg) => self.grace_over(now, leg),
                        Timer::Register(account) => self.send_register(now, account),
                        Timer::Session(session) => self.terminate_session(now, session),
                        Timer::Goodbye(leg) => self.goodbye(now, leg),
                        Timer::Restore(leg) => self.not_restored(now, leg, 488),
                        Timer::Silence(leg) => self.ask_peer(now, leg),
                        Timer::Absent(session) => self.absent_over(now, session),
                        Timer::Rights => self.end_registrations(now),
                    }
                }
            }
        }
        self.drain(now);
    }

    /// Next output. Call until it returns [`Output::Timeout`].
    pub fn poll_output(&mut self, now: Time) -> Output {
        self.drain(now);
        match self.out.pop_front() {
            Some(output) => output,
            None => Output::Timeout(earlier(
                self.timers.next(),
                earlier(self.endpoint_deadline, self.registrar.poll_timeout()),
            )),
        }
    }

    /// Drains the SIP machine: passes its messages on, and acts on its events.
    fn drain(&mut self, now: Time) {
        loop {
            match self.endpoint.poll_output() {
                endpoint::Output::Transmit { to, data, token } => {
                    self.out.push_back(Output::Transmit { to, data, token });
                }
                endpoint::Output::Resolve { query, uri } => {
                    self.out.push_back(Output::Resolve { query, uri })
                }
                endpoint::Output::Event(event) => self.on_signalling(now, event),
                endpoint::Output::Timeout(deadline) => {
                    self.endpoint_deadline = deadline;
                    return;
                }
            }
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Counts of live objects.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            sessions: self.sessions.len(),
            legs: self.legs.len(),
            browser_legs: self.legs.values().filter(|leg| leg.browser).count(),
            contacts: self.registrar.len(),
            endpoint: self.endpoint.counts(),
            silenced: self.silenced,
            totals: self.endpoint.totals(),
            excess: self.excess,
        }
    }

    /// Live sessions, oldest first.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.keys().copied()
    }

    /// Legs of a user that are not ending, each with the [`offer`](Self::offer) that it is or was a branch of.
    pub fn legs_of(&self, user: &str) -> impl Iterator<Item = (LegId, Option<LegId>)> + '_ {
        self.user_legs
            .get(user)
            .into_iter()
            .flatten()
            .filter_map(|leg| self.legs.get(leg))
            .filter(|leg| leg.state < State::Ending)
            .map(|leg| (leg.id, leg.offered))
    }

    /// The user of the directory whose leg it is.
    #[must_use]
    pub fn user_of(&self, leg: LegId) -> Option<&str> {
        self.legs.get(&leg)?.user.as_deref()
    }

    /// The party of a leg, as records show it.
    #[must_use]
    pub fn party_of(&self, leg: LegId) -> Option<&str> {
        Some(&self.legs.get(&leg)?.party)
    }

    /// The session that a leg is in.
    #[must_use]
    pub fn session_of_leg(&self, leg: LegId) -> Option<SessionId> {
        Some(self.legs.get(&leg)?.session)
    }

    /// The session of the leg whose dialog has this SIP Call-ID and this tag of ours. We drew the tag, and told it to the leg's peer
    /// alone.
    #[must_use]
    pub fn session_of(&self, call_id: &str, tag: &str) -> Option<SessionId> {
        let usage = UsageId(u64::from_str_radix(tag, 16).ok()?);
        let leg = self.legs.get(self.usages.get(&usage)?)?;
        (leg.call_id == call_id).then_some(leg.session)
    }

    /// True while the peer of a leg has put us on hold.
    #[must_use]
    pub fn is_held(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|l| l.held)
    }

    /// True while the browser of a leg is away: see [`Event::Away`](crate::Event::Away).
    #[must_use]
    pub fn is_away(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|l| l.presence.away)
    }

    /// The legs of a session: the caller's and the one that answered.
    #[must_use]
    pub fn legs(&self, session: SessionId) -> [Option<LegId>; 2] {
        self.sessions
            .get(&session)
            .map_or([None, None], |s| [s.caller, s.callee])
    }
}

/// Trunks are slowed down at most: a carrier's address must not be banned because somebody forges it.
pub(crate) fn guard_of(config: &Config) -> guard::Config {
    let mut guard = config.guard.clone();
    if let Access::Directory { trunks, .. } = &config.access {
        let sources = trunks.values().flat_map(|trunk| &trunk.sources);
        guard
            .spare
            .extend(sources.map(|source| guard::Network::from(*source)));
    }
    guard
}

impl Leg {
    pub(crate) fn new(
        id: LegId,
        session: SessionId,
        browser: bool,
        party: String,
        user: Option<String>,
        negotiator: Negotiator,
    ) -> Leg {
        Leg {
            id,
            session,
            shard: 0,
            incoming: false,
            browser,
            party,
            user,
            trunk: None,
            call_id: String::new(),
            usage: None,
            flow: None,
            registered: None,
            offered: None,
            redirect: None,
            role: control::Role::Party,
            state: State::New,
            media: Media::Opening,
            negotiator,
            negotiated: None,
            forks: Forks::default(),
            pending: Vec::new(),
            answer: None,
            offer: None,
            answered: None,
            proxied: false,
            acknowledged: false,
            held: false,
            talked_both_ways: false,
            own_music: OwnMusic::None,
            holding: false,
            replaces: None,
            refer: None,
            asks: false,
            aside: None,
            presence: Presence::default(),
            silent: None,
            application: None,
            hears: Hears::Nothing,
            restoring: false,
            report: control::Report::default(),
            fault: None,
        }
    }
}
