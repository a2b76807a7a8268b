//! REFER (RFC 3515): the wish of a leg's peer to be replaced, ours towards a peer, and the NOTIFYs that tell its progress.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{Headers, ReferId};
use sip_core::message::StatusCode;

use crate::call::Call;
use crate::context::Context;
use crate::coordinator::Timer;
use crate::leg::Leg;

/// Time that a replaced party may take to hang up by itself.
const GOODBYE: Duration = Duration::from_secs(1);

/// Transfer that is asked for on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refer {
    None,
    /// Its peer asked to be replaced, and waits for our word.
    Asked(ReferId),
    /// Its peer was told that we follow it, and is told the progress.
    Accepted(ReferId),
    /// We asked its peer to call somebody in our place.
    Sent,
    /// The same, because the peer of this leg asked us.
    PassedOn(LegId),
}

impl Leg {
    /// Promises its peer to do as it asked.
    pub(crate) fn accept_refer(&mut self, cx: &mut Context, now: Time) {
        if let (Refer::Asked(id), Some(usage)) = (self.refer(), self.usage()) {
            *self.refer_mut() = Refer::Accepted(id);
            cx.endpoint.accept_refer(now, usage, id);
        }
    }

    /// Declines what its peer asked for.
    pub(crate) fn refuse_refer(&mut self, cx: &mut Context, now: Time, code: StatusCode, extra: &Headers) {
        if let Refer::Asked(id) = self.refer() {
            *self.refer_mut() = Refer::None;
            if let Some(usage) = self.usage() {
                cx.endpoint.reject_refer(now, usage, id, code, extra);
            }
        }
    }

    /// Tells its peer the progress of its transfer: a status of the new call, the last one from 200 on. True if the peer is done.
    pub(crate) fn refer_progress(&mut self, cx: &mut Context, now: Time, code: StatusCode) -> bool {
        let (Refer::Accepted(id), Some(usage)) = (self.refer(), self.usage()) else {
            return false;
        };
        cx.endpoint.notify_refer(now, usage, id, code);
        if code.is_final() {
            *self.refer_mut() = Refer::None;
        }
        code.is_success() && self.is_up()
    }
}

impl Call {
    pub(crate) fn accept_refer(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        if let Some(l) = self.leg_mut(leg) {
            l.accept_refer(cx, now);
        }
    }

    pub(crate) fn refuse_refer(&mut self, cx: &mut Context, now: Time, leg: LegId, code: StatusCode) {
        if let Some(l) = self.leg_mut(leg) {
            l.refuse_refer(cx, now, code, &Headers::new());
        }
    }

    /// Tells the peer of `leg` the progress of its transfer. A replaced party is hung up soon.
    pub(crate) fn refer_progress(&mut self, cx: &mut Context, now: Time, leg: LegId, code: StatusCode) {
        if let Some(l) = self.leg_mut(leg)
            && l.refer_progress(cx, now, code)
        {
            cx.timers
                .set(Timer::Goodbye(leg), now + GOODBYE, "BYE to one who was replaced");
        }
    }
}
