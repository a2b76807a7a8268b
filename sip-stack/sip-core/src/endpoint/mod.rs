//! The SIP user agent as one machine: messages and commands in, messages and events out.
//!
//! | file | what it does |
//! |---|---|
//! | `receive` | a message comes in: parse, match to transaction or dialog |
//! | `admission` | what a request must satisfy before anybody is asked (RFC 3261 §8.2) |
//! | `respond` | server transactions and what they send |
//! | `once` | answers without a transaction, for strangers |
//! | `client` | client transactions, and who hears of their outcome |
//! | `silence` | requests that get no answer |
//! | `send`, `ack` | requests on their way, CANCEL and ACK |
//! | `retry` | the request again: next target, credentials, longer interval |
//! | `resolve` | where a request goes (RFC 3263) |
//! | `call_out`, `call_in` | the INVITE that begins a usage, ours or the peer's |
//! | `reliable` | provisional responses with PRACK (RFC 3262), both sides |
//! | `in_dialog` | requests within a dialog but offers |
//! | `ping` | whether the peer of a dialog is there |
//! | `subscription` | SUBSCRIBE and NOTIFY, both sides (RFC 6665) |
//! | `refer` | the peer's REFER, and the NOTIFYs to it (RFC 3515) |
//! | `offer` | re-INVITE and UPDATE (RFC 3261 §14, RFC 3311) |
//! | `forwarded` | offers of ours that are somebody else's: made once, taken back by a CANCEL |
//! | `session` | session timer (RFC 4028) |
//! | `ending` | hanging up, and forgetting a usage |
//! | `saved` | a dialog over a restart |
//! | `outside` | requests outside of a dialog |
//! | `wire` | the text of what we send |

mod ack;
mod admission;
mod call_in;
mod call_out;
mod client;
mod config;
mod counts;
mod ending;
mod event;
mod forwarded;
mod ids;
mod in_dialog;
mod offer;
mod once;
mod outgoing;
mod outside;
mod ping;
mod receive;
mod refer;
mod reliable;
mod resolve;
mod respond;
mod retry;
mod saved;
mod send;
mod session;
mod silence;
mod subscription;
mod usage;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use sans_io::{Rng, Time, Timers};

pub use crate::auth::Credentials;
pub use config::{Advertised, Config};
pub use counts::{Counts, Totals, UsageInfo};
pub use event::{Ended, Event, Input, OfferMethod, Output, Silence};
pub use ids::{ForkId, QueryId, ReferId, RequestId, ServerTx, UsageId};
pub use outgoing::{
    Body, Exchange, Headers, OutgoingContact, OutgoingInvite, OutgoingRequest, Part, PassedOn, Reason,
    SessionWish, Target,
};
pub use reliable::Reliability;
pub use subscription::{
    EventType, OutgoingSubscribe, SubscriptionEnd, SubscriptionId, SubscriptionState, TerminationReason,
};

pub use saved::SavedDialog;

use crate::flow::{Destination, Flow, Transport};
use crate::message::{MULTIPARTS, Method};
use crate::transaction::Key;
use client::ClientTx;
use outside::Outside;
use resolve::Pending;
use respond::ServerEntry;
use subscription::{REFER, Subscription};
use usage::{Alarm, Usage};

/// A SIP user agent, client and server, for any number of calls.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    rng: Rng,
    /// `Allow`, `Supported` and `User-Agent` lines of what we send.
    about: About,
    out: VecDeque<Output>,
    timers: Timers<TimerKey>,
    // Boxed, as are the others: what a tree holds is moved whenever a neighbour comes or goes.
    clients: BTreeMap<u64, Box<ClientTx>>,
    servers: BTreeMap<u64, Box<ServerEntry>>,
    /// Server transactions by what tells them apart.
    keys: BTreeMap<Key, u64>,
    /// Those that a request outside a dialog began, to find merged ones (RFC 3261 §8.2.2.2).
    merged: BTreeMap<Key, u64>,
    usages: BTreeMap<UsageId, Box<Usage>>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    requests: BTreeMap<RequestId, Outside>,
    queries: BTreeMap<QueryId, Pending>,
    /// Targets that failed, and until when others are tried before them.
    avoided: BTreeMap<(Transport, SocketAddr), Time>,
    /// The name in `Via` and `Contact` where nothing better is known.
    nameless: String,
    /// INVITEs that were reported to the user, and are answered 100 unless the user answered them.
    untried: Vec<u64>,
    /// Octets of the requests of server transactions.
    held: usize,
    /// Key for tags of answers without a transaction; drawn when the first is needed.
    tag_secret: Option<[u8; 32]>,
    totals: Totals,
}

/// Owner of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TimerKey {
    Client(u64),
    Server(u64),
    Usage(UsageId, Alarm),
    Subscription(SubscriptionId),
    /// The next NOTIFY of it may leave.
    Pace(SubscriptionId),
}

/// Self-description, as whole header lines.
#[derive(Debug)]
struct About {
    allow: String,
    /// `Allow-Events`, with `refer`; empty if there is no package at all.
    allow_events: String,
    /// True if there is a package besides `refer`.
    has_packages: bool,
    supported: String,
    /// Without `100rel`.
    supported_late: String,
    accept: String,
    user_agent: String,
    server: String,
}

impl Endpoint {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(config: Config, mut rng: Rng) -> Endpoint {
        let nameless = format!("{}.invalid", rng.token(12).to_ascii_lowercase());
        Endpoint {
            about: About::new(&config),
            config,
            rng,
            out: VecDeque::new(),
            timers: Timers::default(),
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            keys: BTreeMap::new(),
            merged: BTreeMap::new(),
            usages: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            requests: BTreeMap::new(),
            queries: BTreeMap::new(),
            avoided: BTreeMap::new(),
            nameless,
            untried: Vec::new(),
            held: 0,
            tag_secret: None,
            totals: Totals::default(),
        }
    }

    /// Takes one input in; drain [`Endpoint::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Message { flow, data } => self.receive(now, flow, data),
            Input::FlowClosed { flow } => self.flow_closed(now, flow),
            Input::TransmitFailed { token } => self.transmit_failed(now, token),
            Input::Unreachable { addr } => self.unreachable(now, addr),
            Input::Resolved { query, targets } => self.resolved(now, query, targets),
            Input::Timeout => self.timeout(now),
        }
    }

    /// Next output. Ends with [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        if self.out.is_empty() {
            self.say_trying();
        }
        match self.out.pop_front() {
            Some(output) => output,
            None => Output::Timeout(self.timers.next()),
        }
    }

    /// Properties of a leg, until it is forgotten (some time after its `Event::Ended`).
    #[must_use]
    pub fn usage(&self, usage: UsageId) -> Option<&UsageInfo> {
        self.usages.get(&usage).map(|usage| &usage.info)
    }

    /// Tag of the peer in the dialog of a leg, the first one of several that ring; `None` until it gave one.
    #[must_use]
    pub fn peer_tag(&self, usage: UsageId) -> Option<&str> {
        let dialog = self.usages.get(&usage)?.dialogs.first()?;
        dialog.remote_tag.as_deref()
    }

    /// True if a leg is the dialog with this Call-ID, tag of ours and tag of the peer (RFC 3261 §12), or has it among its early
    /// ones. A dialog whose peer gave no tag cannot be named.
    #[must_use]
    pub fn is_dialog(&self, usage: UsageId, (call_id, ours, theirs): (&str, &str, &str)) -> bool {
        self.usages.get(&usage).is_some_and(|usage| {
            usage.info.call_id == call_id
                && usage.info.local_tag.eq_ignore_ascii_case(ours)
                && !theirs.is_empty()
                && usage.dialogs.iter().any(|dialog| dialog.is_with(Some(theirs)))
        })
    }

    /// True if requests to the peer go through proxies (RFC 3261 §12.1).
    #[must_use]
    pub fn is_proxied(&self, usage: UsageId) -> bool {
        self.usages
            .get(&usage)
            .is_some_and(|usage| usage.dialogs.iter().any(|dialog| !dialog.routes.is_empty()))
    }

    /// Objects that live in here now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            usages: self.usages.len(),
            client_transactions: self.clients.len(),
            server_transactions: self.servers.len(),
            timers: self.timers.len(),
            subscriptions: self.subscriptions.len(),
            requests: self.requests.len(),
            queries: self.queries.len(),
        }
    }

    /// The requests and responses of `usage` go over `flow` from now on: its peer came back over a new connection.
    pub fn move_flow(&mut self, now: Time, usage: UsageId, flow: Flow) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        state.sticky = Some(flow);
        state.info.flow = Some(flow);
        if let Some(unacked) = &mut state.unacked {
            unacked.to = Destination::Flow(flow);
        }
        if let Some(server) = state.server {
            self.move_server(server, flow);
        }
        self.send_accepted_again(now, usage);
    }

    fn timeout(&mut self, now: Time) {
        while let Some(key) = self.timers.pop_due(now) {
            match key {
                TimerKey::Client(id) => self.client_timeout(now, id),
                TimerKey::Server(id) => self.server_timeout(now, id),
                TimerKey::Usage(usage, alarm) => self.alarm(now, usage, alarm),
                TimerKey::Subscription(id) => self.subscription_due(now, id),
                TimerKey::Pace(id) => self.tell_if_due(now, id),
            }
        }
    }

    fn alarm(&mut self, now: Time, usage: UsageId, alarm: Alarm) {
        match alarm {
            Alarm::Ring => self.rang_too_long(now, usage),
            Alarm::StillRinging => self.still_ringing(now, usage),
            Alarm::Expired => self.invite_expired(now, usage),
            Alarm::Ping => self.pinged(usage, false),
            Alarm::Cancelled => self.cancel_unanswered(usage),
            Alarm::Reliable => self.send_reliable_again(now, usage),
            Alarm::Accepted => self.send_accepted_again(now, usage),
            Alarm::Retry => self.next_offer(now, usage),
            Alarm::Session => self.session_due(now, usage),
        }
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    /// A random number that no other id of ours has but by a chance of 2^-62; even, so that the odd one beside it is free.
    fn random_id(&mut self) -> u64 {
        self.rng.u64() & !1
    }
}

impl About {
    fn new(config: &Config) -> About {
        let list = |name: &str, items: &mut dyn Iterator<Item = &str>| {
            let items: Vec<&str> = items.collect();
            if items.is_empty() {
                String::new()
            } else {
                one_line(name, &items.join(", "))
            }
        };
        let supported = || config.supported.iter().map(String::as_str);
        let agent = |name: &str| match config.user_agent.as_str() {
            "" => String::new(),
            agent => one_line(name, agent),
        };
        About {
            allow: {
                let subscribe = (!config.event_packages.is_empty()).then_some("SUBSCRIBE");
                let known = config.allow.iter().map(|method| method.as_str());
                list("Allow", &mut known.chain(subscribe))
            },
            allow_events: {
                let refer = config.allow.contains(&Method::Refer).then_some(REFER);
                let packages = config.event_packages.iter().map(String::as_str);
                list("Allow-Events", &mut packages.chain(refer))
            },
            has_packages: !config.event_packages.is_empty(),
            supported: list("Supported", &mut supported()),
            supported_late: list("Supported", &mut supported().filter(|tag| *tag != "100rel")),
            accept: list(
                "Accept",
                &mut config.accept.iter().map(String::as_str).chain(MULTIPARTS),
            ),
            user_agent: agent("User-Agent"),
            server: agent("Server"),
        }
    }
}

impl About {
    /// `Allow-Events`, where there is a package besides `refer`, which `Allow` says enough of: in INVITEs, what answers them with a
    /// dialog, and answers to OPTIONS (RFC 6665 §8.2.2).
    fn packages(&self) -> &str {
        match self.has_packages {
            true => &self.allow_events,
            false => "",
        }
    }

    /// `Allow`, `Allow-Events` and `Supported`.
    fn abilities(&self) -> String {
        [&self.allow, self.packages(), &self.supported].concat()
    }
}

fn one_line(name: &str, value: &str) -> String {
    let mut out = String::new();
    wire::line(&mut out, name, value);
    out
}
