//! Presence of a leg's browser: gone (the tab closed, the page crashed, the network died), or back.
//!
//! A lost WebSocket alone changes nothing that anybody hears: the dialog belongs to the user, and moves to the user's
//! next flow. The browser is away on DTLS close_notify, when no authenticated STUN check came for 15 s, or when its
//! WebSocket closed and no RTP came for 200 ms. It is back when its RTP flows again.

use sans_io::Time;

use super::Leg;

/// Presence of the party behind a leg, as far as it can be seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Presence {
    connection: Connection,
    media: Flow,
    attendance: Attendance,
}

/// The connection of a leg's dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Connection {
    #[default]
    Open,
    /// Closed, and no other took its place.
    Lost,
}

/// Media from a leg's peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flow {
    /// No RTP now.
    #[default]
    Paused,
    /// Authentic RTP flows.
    Flows,
    /// The shard saw the peer leave, and nothing came since.
    Gone,
}

/// Attendance of a browser, as the application was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Attendance {
    #[default]
    Present,
    Away,
}

impl Presence {
    pub(super) fn reconnected(&mut self) {
        self.connection = Connection::Open;
    }

    pub(super) fn flows(self) -> bool {
        self.media == Flow::Flows
    }
}

impl Leg {
    /// Its browser is away.
    pub(crate) fn is_away(&self) -> bool {
        self.presence.attendance == Attendance::Away
    }

    /// Its connection closed, and no other took its place.
    pub(crate) fn lost_flow(&self) -> bool {
        self.presence.connection == Connection::Lost
    }

    pub(crate) fn set_flow_lost(&mut self) {
        self.presence.connection = Connection::Lost;
    }

    /// RTP of its peer flows, or stopped. True if others hear something else because of it.
    pub(crate) fn rtp_flows(&mut self, now: Time, flowing: bool) -> bool {
        self.presence.media = match (self.presence.media, flowing) {
            (_, true) => Flow::Flows,
            (Flow::Gone, false) => Flow::Gone,
            (Flow::Flows | Flow::Paused, false) => Flow::Paused,
        };
        self.hold.flows(now, flowing)
    }

    /// The shard saw its peer leave.
    pub(crate) fn peer_gone(&mut self) {
        self.presence.media = Flow::Gone;
    }

    /// True if its page was closed: it cannot go on with a call of its own that nobody has answered.
    pub(crate) fn page_closed(&self) -> bool {
        self.is_browser() && self.presence.media == Flow::Gone && self.lost_flow() && self.waits_for_answer()
    }

    /// Attendance of its browser where it has changed.
    pub(crate) fn judge_attendance(&mut self) -> Option<Attendance> {
        if !self.is_browser() || !self.is_live() {
            return None;
        }
        let p = self.presence;
        let judged = match (p.attendance, p.media) {
            (Attendance::Present, Flow::Gone) => Attendance::Away,
            // A held browser may send nothing at all: only the shard's word counts then.
            (Attendance::Present, Flow::Paused) if self.lost_flow() && !self.is_held() => Attendance::Away,
            (Attendance::Away, Flow::Flows) => Attendance::Present,
            (before, _) => before,
        };
        self.presence.attendance = judged;
        (judged != p.attendance).then_some(judged)
    }
}
