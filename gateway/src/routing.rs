//! Routing: where a number leads, for callers of the switch and for the call centre alike.

mod reached;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use call_engine::{CallHandling, CallRequest, Decision, DialPlan, Origin, RingGroup};
use media_core::control::Application as Sound;
use sans_io::Time;
use session_core::{CallerId, Numbering, Party, Source};
use sip_core::message::StatusCode;
use sip_core::uri::Uri;

use crate::config::{FeatureCodes, Park};

pub use self::reached::{Callee, NoCallee, Reached};
pub(crate) use self::reached::{DO_NOT_DISTURB, code_of, reason_of};

/// SIP status where a peer of the dial plan is not there (RFC 3261 §21.5.4).
const NO_PEER: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// Dial plan of the gateway, and the addresses of the peers that it names.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    plan: DialPlan,
    /// Way in which users dial; `None`: numbers are what they are.
    numbering: Option<Arc<Numbering>>,
    peers: BTreeMap<String, SocketAddr>,
    reach: Reach,
}

/// Call handling of users, and ring groups: where a call goes once the dial plan has said whom it is for.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Settings of users who have some, by name.
    handling: BTreeMap<String, CallHandling>,
    /// By name.
    groups: BTreeMap<String, RingGroup>,
    park: Park,
    codes: FeatureCodes,
}

impl Reach {
    /// Call handling of these users, by name, these ring groups, and settings for parked calls.
    #[must_use]
    pub fn new(
        handling: BTreeMap<String, CallHandling>,
        groups: impl IntoIterator<Item = RingGroup>,
        park: Park,
    ) -> Reach {
        let groups = groups.into_iter().map(|group| (group.name.clone(), group));
        Reach {
            handling,
            groups: groups.collect(),
            park,
            codes: FeatureCodes::default(),
        }
    }

    /// The same, with feature codes.
    #[must_use]
    pub fn with_codes(self, codes: FeatureCodes) -> Reach {
        Reach { codes, ..self }
    }
}

/// Destination of a dialled number.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Somebody who can be called.
    Party(Box<Party>),
    /// A queue.
    Queue {
        /// Its name.
        name: String,
        /// Priority of the call; `None`: that of the queue.
        priority: Option<u8>,
    },
    /// A ring group.
    Group(Box<RingGroup>),
    /// A slot in which calls are parked; `None`: any that is free.
    Park(Option<String>),
    /// An application that answers by itself.
    Application(Sound),
    /// Nobody, for this status of SIP.
    Nobody(StatusCode),
}

impl Destination {
    /// One word for logs, without anything personal.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Destination::Party(_) => "party",
            Destination::Queue { .. } => "queue",
            Destination::Group(_) => "group",
            Destination::Park(_) => "park",
            Destination::Application(_) => "application",
            Destination::Nobody(_) => "reject",
        }
    }
}

impl Routing {
    /// Routing by a dial plan. `peers` are SIP addresses (UDP) of the peers that it names.
    #[must_use]
    pub fn new(plan: DialPlan, peers: BTreeMap<String, SocketAddr>) -> Routing {
        Routing {
            plan,
            numbering: None,
            peers,
            reach: Reach::default(),
        }
    }

    /// Reads numbers as they are dialled at a place from now on.
    pub fn set_numbering(&mut self, numbering: Option<Arc<Numbering>>) {
        self.numbering = numbering;
    }

    /// Routing with call handling of users, and with ring groups.
    #[must_use]
    pub fn reaching(self, reach: Reach) -> Routing {
        Routing { reach, ..self }
    }

    /// Routes by another dial plan, other call handling and other groups from now on.
    pub fn configure(&mut self, plan: DialPlan, reach: Reach) {
        self.plan = plan;
        self.reach = reach;
    }

    /// Handles calls to a user in another way from now on.
    pub fn handle_calls(&mut self, user: String, handling: CallHandling) {
        self.reach.handling.insert(user, handling);
    }

    /// Settings for parked calls.
    #[must_use]
    pub fn park(&self) -> &Park {
        &self.reach.park
    }

    /// Feature codes of phones.
    #[must_use]
    pub fn feature_codes(&self) -> &FeatureCodes {
        &self.reach.codes
    }

    /// Call handling of a user.
    #[must_use]
    pub fn handling(&self, user: &str) -> CallHandling {
        self.reach.handling.get(user).cloned().unwrap_or_default()
    }

    /// Decision of the dial plan about a call at this time.
    #[must_use]
    pub fn decide(&self, now: Time, origin: Origin, number: &str) -> Decision {
        // A trunk's numbers were read by its own form.
        let is_dialled = !matches!(origin, Origin::Trunk(_));
        let numbering = self.numbering.as_ref().filter(|_| is_dialled);
        self.plan.decide(&CallRequest {
            e164: numbering.and_then(|numbering| numbering.e164(number)),
            ..CallRequest::new(origin, number, now)
        })
    }

    /// Destination that a decision means.
    #[must_use]
    pub fn destination(&self, decision: Decision) -> Destination {
        let party = match decision {
            Decision::User { name } => Party::User(name),
            Decision::Trunk {
                trunks,
                number,
                caller_id,
                on_account_of,
            } => Party::Trunks {
                tiers: trunks.tiers().to_vec(),
                number,
                caller_id: caller_id.map(shown),
                on_account_of: match on_account_of {
                    Origin::User(name) => Some(Source::User(name)),
                    Origin::Trunk(name) => Some(Source::Trunk(name)),
                    Origin::Anonymous | Origin::Gateway => None,
                },
            },
            Decision::Peer { name, number } => match self.peer(&name, &number) {
                Some(party) => party,
                None => return Destination::Nobody(NO_PEER),
            },
            Decision::Queue { name, priority } => return Destination::Queue { name, priority },
            Decision::Group { name } => {
                return match self.reach.groups.get(&name) {
                    Some(group) => Destination::Group(Box::new(group.clone())),
                    None => Destination::Nobody(StatusCode::NOT_FOUND),
                };
            }
            Decision::Park { slot } => return Destination::Park(slot),
            Decision::Application(application) => return Destination::Application(sound(application)),
            Decision::Reject { code } => {
                // The configuration allows 300 to 699 only.
                let code = StatusCode::try_from(code).unwrap_or(StatusCode::NOT_FOUND);
                return Destination::Nobody(code);
            }
        };
        Destination::Party(Box::new(party))
    }

    /// Destination of a number at this time.
    #[must_use]
    pub fn route(&self, now: Time, origin: Origin, number: &str) -> Destination {
        self.destination(self.decide(now, origin, number))
    }

    fn peer(&self, name: &str, number: &str) -> Option<Party> {
        let peer = self.peers.get(name)?;
        Some(Party::Uri {
            uri: Uri::sip(Some(number), peer.ip(), Some(peer.port())).ok()?,
            proxy: None,
            flow: None,
            codecs: Vec::new(),
            credentials: None,
        })
    }
}

fn shown(caller_id: call_engine::CallerId) -> CallerId {
    match caller_id {
        call_engine::CallerId::Pass => CallerId::Pass,
        call_engine::CallerId::Number(number) => CallerId::Fixed(number),
        call_engine::CallerId::Withheld => CallerId::Withheld,
    }
}

fn sound(application: call_engine::Application) -> Sound {
    match application {
        call_engine::Application::Echo => Sound::Echo,
        call_engine::Application::Music => Sound::Music,
        call_engine::Application::Tone => Sound::Tone {
            hertz: 1_004,
            dbm0: -10,
        },
    }
}
