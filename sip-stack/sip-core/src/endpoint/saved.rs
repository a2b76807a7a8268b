//! A dialog over a restart: what must be known to go on with it, and a usage made of that.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sans_io::Time;
use serde::{Deserialize, Serialize};

use crate::dialog::{Dialog, Duty, RouteSet, SessionTimer};
use crate::flow::{Destination, Transport};
use crate::message::Method;

use super::counts::UsageInfo;
use super::ids::UsageId;
use super::outgoing::Body;
use super::usage::{Alarm, State, Usage};
use super::{Endpoint, TimerKey};

/// Requests that may have been sent since the dialog was saved: numbers of later ones are above all of them. A gap is
/// no error (RFC 3261 §12.2.2).
const SENT_MEANWHILE: u32 = 10_000;

/// A confirmed dialog, for [`Endpoint::restore`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDialog {
    /// `Call-ID`.
    pub call_id: String,
    /// `From` of our requests, without its tag.
    pub local: String,
    /// Our tag.
    pub local_tag: String,
    /// `To` of our requests, with its tag.
    pub remote: String,
    /// The same without its tag.
    pub remote_shown: String,
    /// The peer's tag.
    pub remote_tag: Option<String>,
    /// CSeq of our last request.
    pub local_seq: u32,
    /// Highest CSeq of the peer's requests.
    pub remote_seq: Option<u32>,
    /// The peer's `Contact`.
    pub remote_target: String,
    /// The route set, nearest first.
    pub routes: Vec<String>,
    /// User part of our `Contact`.
    pub contact_user: String,
    /// Our INVITE began it.
    pub ours: bool,
    /// A peer behind a NAT is reached there over UDP, and nowhere else.
    pub peer: Option<SocketAddr>,
    /// The peer's `Allow`.
    pub remote_allow: Vec<String>,
    /// The peer takes UPDATE.
    pub takes_update: bool,
    /// The peer's program.
    pub user_agent: Option<String>,
    /// Session interval in seconds, and whether we refresh (RFC 4028).
    pub session: Option<(u64, bool)>,
    /// Session interval that we ask for ourselves, seconds.
    #[serde(default)]
    pub session_wanted: Option<u32>,
    /// True if the peer knows session timers.
    #[serde(default)]
    pub knows_timer: bool,
    /// Our last description.
    pub local_sdp: Option<String>,
    /// The peer's last description.
    pub remote_sdp: Option<String>,
}

impl Endpoint {
    /// Saved form of a usage, so that it can go on after a restart; `None` before its 2xx and after its end.
    /// The result changes with every answered offer, and when the peer moves.
    #[must_use]
    pub fn save(&self, usage: UsageId) -> Option<SavedDialog> {
        let state = self.usages.get(&usage)?;
        if !matches!(state.state, State::Accepted | State::Confirmed) {
            return None;
        }
        let dialog = state.dialogs.first()?;
        let info = &state.info;
        let text = |body: &Option<Body>| {
            let body = body.as_ref()?;
            Some(String::from_utf8_lossy(&body.data).into_owned())
        };
        Some(SavedDialog {
            call_id: info.call_id.clone(),
            local: info.local.clone(),
            local_tag: info.local_tag.clone(),
            remote: dialog.remote.clone(),
            remote_shown: info.remote.clone(),
            remote_tag: dialog.remote_tag.clone(),
            local_seq: dialog.local_seq,
            remote_seq: dialog.remote_seq,
            remote_target: dialog.remote_target.clone(),
            routes: dialog.routes.values().to_vec(),
            contact_user: state.contact_user.clone(),
            ours: state.ours,
            peer: state
                .sticky
                .filter(|flow| flow.transport == Transport::Udp)
                .map(|flow| flow.remote),
            remote_allow: info
                .remote_allow
                .iter()
                .map(|method| method.as_str().to_owned())
                .collect(),
            takes_update: state.takes_update,
            user_agent: info.user_agent.clone(),
            session: state
                .session
                .map(|session| (session.interval.as_secs(), session.duty == Duty::Ours)),
            session_wanted: state.wanted,
            knows_timer: state.knows_timer,
            local_sdp: text(&state.local_sdp),
            remote_sdp: text(&state.remote_sdp),
        })
    }

    /// Goes on with a dialog that was saved before a restart. Nothing is sent; the next request tells whether the peer is
    /// still there. `None` when such a dialog is there already, or it was not one of ours.
    pub fn restore(&mut self, now: Time, saved: &SavedDialog) -> Option<UsageId> {
        let usage = UsageId::of_tag(&saved.local_tag)?;
        if self.usages.contains_key(&usage) {
            return None;
        }
        let dialog = Dialog {
            remote: saved.remote.clone(),
            remote_tag: saved.remote_tag.clone(),
            local_seq: saved.local_seq.saturating_add(SENT_MEANWHILE),
            remote_seq: saved.remote_seq,
            remote_target: saved.remote_target.clone(),
            routes: RouteSet::restored(saved.routes.clone()),
            rseq: None,
            answer: None,
        };
        let info = UsageInfo {
            call_id: saved.call_id.clone(),
            local: saved.local.clone(),
            local_tag: saved.local_tag.clone(),
            remote: saved.remote_shown.clone(),
            remote_tag: saved.remote_tag.clone(),
            remote_target: saved.remote_target.clone(),
            flow: None,
            remote_allow: saved.remote_allow.iter().map(|name| Method::new(name)).collect(),
            user_agent: saved.user_agent.clone(),
            confirmed: true,
        };
        let body = |text: &Option<String>| text.clone().map(|text| Body::sdp(Bytes::from(text)));
        let mut state = Usage::new(info, State::Confirmed);
        state.ours = saved.ours;
        state.contact_user.clone_from(&saved.contact_user);
        state.takes_update = saved.takes_update;
        state.wanted = saved.session_wanted;
        state.knows_timer = saved.knows_timer;
        state.local_sdp = body(&saved.local_sdp);
        state.remote_sdp = body(&saved.remote_sdp);
        state.resolved = saved.peer.map(|addr| {
            let there = Destination::Address {
                transport: Transport::Udp,
                addr,
                server_name: None,
            };
            (dialog.routed().next_hop, VecDeque::from([there]))
        });
        state.dialogs.push(dialog);
        if let Some((interval, ours)) = saved.session {
            let interval = Duration::from_secs(interval);
            let session = match (ours, saved.knows_timer) {
                (true, false) => SessionTimer::alone(now, interval),
                (true, true) => SessionTimer::new(now, interval, Duty::Ours),
                (false, _) => SessionTimer::new(now, interval, Duty::Peers),
            };
            state.session = Some(session);
            self.arm(TimerKey::Usage(usage, Alarm::Session), session.deadline());
        }
        self.usages.insert(usage, Box::new(state));
        Some(usage)
    }
}
