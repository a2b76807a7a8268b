//! Dialling: groups of parties that ring together, one group after the other; early media; the first answer wins, the losers are
//! cancelled.

mod absent;
mod branch;
mod failover;
mod invitation;
mod moving;
mod pbx;
mod place;
mod progress;
mod redirect;
mod route;

use std::sync::Arc;
use std::time::Duration;

use media_core::control::Application;
use media_core::negotiated::Codec;
use sip_core::flow::Flow;
use sip_core::message::{StatusClass, StatusCode};
use sip_core::uri::{Uri, UriError};

pub(crate) use branch::{elsewhere, host_text, user_text};
pub(crate) use failover::Dialling;
pub use invitation::Invitation;
pub(crate) use invitation::{Owner, Ringing};
pub(crate) use place::Place;
pub(crate) use redirect::Redirect;
use route::Route;
pub(crate) use route::Way;

use crate::config::{CallerId, Trunk};
use crate::context::Context;
use crate::emergency::EmergencyCall;
use crate::event::Source;
use crate::trunk::uri_at;

/// Caller as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// User part of From.
    pub user: String,
    /// Display name, may be empty.
    pub display: String,
}

/// Party to call.
#[derive(Clone, Debug)]
pub enum Party {
    /// All contacts of a user of the directory.
    User(String),
    /// A number at a trunk of the directory.
    Trunk {
        /// Its name.
        name: String,
        /// The number, which the trunk gets in its own form.
        number: String,
    },
    /// A number at one of several trunks of the directory.
    Trunks {
        /// Names of trunks, best first. Those that stand together share calls by their weights; the others of them come next.
        tiers: Vec<Vec<(String, u16)>>,
        /// The number, which each trunk gets in its own form.
        number: String,
        /// Number that they are shown, in place of what each of them is shown otherwise.
        caller_id: Option<CallerId>,
        /// Whoever it is on account of, for caps; `None`: the gateway itself.
        on_account_of: Option<Source>,
    },
    /// The emergency services, at one of several trunks of the directory. No limit of a trunk applies.
    Emergency {
        /// As for [`Party::Trunks`].
        tiers: Vec<Vec<(String, u16)>>,
        /// User part of the Request-URI.
        number: String,
        /// Location and other things that the call carries.
        call: Arc<EmergencyCall>,
    },
    /// Whoever of these answers first.
    Any(Vec<Party>),
    /// Any SIP URI.
    Uri {
        /// Request-URI and To.
        uri: Uri,
        /// Proxy to send it to, instead of the URI's own host.
        proxy: Option<Uri>,
        /// Over this flow, if it is open (a registration's).
        flow: Option<Flow>,
        /// Offered, best first; empty: [`Config::phone_codecs`](crate::Config::phone_codecs).
        codecs: Vec<Codec>,
        /// For digest.
        credentials: Option<(String, String)>,
    },
}

impl Party {
    /// The route to a number at trunks; `None` for any other party.
    fn route(&self, cx: &mut Context) -> Option<Route> {
        match self {
            Party::Trunk { name, number } => {
                let tier = vec![(name.clone(), 1)];
                Some(Route::new(cx, &[tier], number, (None, None)))
            }
            Party::Trunks {
                tiers,
                number,
                caller_id,
                on_account_of,
            } => {
                let shown = (caller_id.clone(), on_account_of.clone());
                Some(Route::new(cx, tiers, number, shown))
            }
            Party::Emergency { tiers, number, call } => {
                let route = Route::new(cx, tiers, number, (None, None));
                Some(route.urgently(Arc::clone(call)))
            }
            Party::User(_) | Party::Any(_) | Party::Uri { .. } => None,
        }
    }
}

/// Settings for calling parties.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Tried in this order.
    pub attempts: Vec<Attempt>,
    /// Caller as shown; `None`: the one who called us.
    pub caller: Option<Caller>,
    /// Fate of the caller if nobody answers.
    pub on_failure: OnFailure,
}

impl Dial {
    /// All of these parties ring at once, for the caller who called us.
    #[must_use]
    pub fn together(parties: Vec<Party>, ring_timeout: Duration, on_failure: OnFailure) -> Dial {
        let attempt = Attempt {
            parties,
            ring_timeout,
            within: None,
            next: Next::IfUnanswered,
        };
        Dial {
            attempts: vec![attempt],
            caller: None,
            on_failure,
        }
    }
}

/// Parties that ring together.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// All rung at once.
    pub parties: Vec<Party>,
    /// Time that each branch may ring without a provisional response between.
    pub ring_timeout: Duration,
    /// Time for the attempt as a whole, whatever the branches say meanwhile; `None`: no such limit.
    pub within: Option<Duration>,
    /// Condition for the attempt after this one.
    pub next: Next,
}

/// Condition for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nobody answered, for whatever reason but a 6xx, which speaks for everybody (RFC 3261 §16.7).
    IfUnanswered,
    /// Nobody answered, for whatever reason: each party speaks for itself alone.
    InAnyCase,
    /// Nobody could be reached (408, 480, 5xx): a party that is busy or declines is not tried by another way.
    IfUnreachable,
}

/// Fate of the caller if nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Refused with the best of the codes.
    Reject,
    /// Stays; the application decides on [`Event::DialFailed`](crate::Event::DialFailed).
    Tell,
}

/// A call of ours, with nobody calling us.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    /// Party to call.
    pub party: Party,
    /// As whom.
    pub caller: Caller,
    /// Time that it may ring.
    pub ring_timeout: Duration,
    /// Sound for the party once it has answered.
    pub application: Option<Application>,
}

/// The one of two final responses that tells the caller more (RFC 3261 §16.7 step 6): a 6xx ends everything,
/// then decisions of people (busy, declined) before faults of the network.
pub(crate) fn better(old: Option<StatusCode>, new: StatusCode) -> StatusCode {
    fn rank(code: StatusCode) -> u8 {
        match (code, code.class()) {
            (_, StatusClass::GlobalFailure) => 0,
            (StatusCode::BUSY_HERE, _) => 1,
            (StatusCode::ADDRESS_INCOMPLETE | StatusCode::NOT_FOUND | StatusCode::GONE, _) => 3,
            (StatusCode::TEMPORARILY_UNAVAILABLE, _) => 4,
            (StatusCode::REQUEST_TERMINATED | StatusCode::REQUEST_TIMEOUT, _) => 6,
            (_, StatusClass::ServerError) => 7,
            _ => 2,
        }
    }
    match old {
        Some(old) if rank(old) <= rank(new) => old,
        _ => new,
    }
}

/// True for a final response that speaks for the person, not for one phone (RFC 3261 §16.7 step 5).
pub(crate) fn is_for_all_phones(code: StatusCode) -> bool {
    code.class() == StatusClass::GlobalFailure
}

/// A number at a trunk; without one, the trunk itself.
pub(crate) fn trunk_uri(trunk: &Trunk, number: Option<&str>) -> Result<Uri, UriError> {
    uri_at(trunk.transport, (&trunk.host, trunk.port), number)
}
