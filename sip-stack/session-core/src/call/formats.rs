//! Formats that the parties of a call must have in common, since we can only pass them on.

use media_core::control::{LegId, Member, Role};
use media_core::negotiated::{Codec, Direction};
use media_core::sdp::{SdpError, Spoken};
use sans_io::Time;

use super::Call;
use crate::context::Context;
use crate::incoming::sdp_warning;
use crate::leg::{Hears, Leg, offered};

impl Call {
    /// Direction and formats of an offer of a leg's peer in which the other party has a say, since they would have no codec in common
    /// that we could convert: that party, too. `None` for any other offer.
    pub(super) fn wants_formats(
        &self,
        cx: &Context,
        (from, to): (LegId, LegId),
        offer: &[u8],
    ) -> Option<(LegId, Direction, Spoken)> {
        let (l, other) = (self.leg(from)?, self.leg(to)?);
        if l.is_browser() || other.is_browser() {
            return None;
        }
        let (direction, spoken) = offered(&l.pass_through(cx), offer)?;
        let passes = |codec: Codec| {
            spoken
                .passed
                .iter()
                .any(|passed| Some(passed.format) == codec.foreign())
        };
        let fits = match other.codec()? {
            codec @ Codec::Foreign(_) => passes(codec),
            _ => spoken.codecs.iter().any(|codec| l.speaks(*codec)),
        };
        // What it has already is no change.
        let fits = fits || l.foreign_codec().is_some_and(passes);
        let any = !spoken.codecs.is_empty() || !spoken.passed.is_empty();
        (!fits && any).then_some((to, direction, spoken))
    }

    /// Sees to it that an offer of a leg's peer is answered with a codec of ours, where it has one and the other party has one too.
    pub(super) fn prefer_ours(&mut self, cx: &Context, leg: LegId, offer: &[u8]) {
        let other = self.only_other(leg, &self.share());
        let beside = other.and_then(|other| self.leg(other)).and_then(Leg::codec);
        if beside.is_none_or(Codec::is_foreign) {
            return;
        }
        let Some(l) = self.leg_mut(leg).filter(|l| l.foreign_codec().is_some()) else {
            return;
        };
        let spoken = offered(&l.pass_through(cx), offer).map(|(_, spoken)| spoken.codecs);
        if spoken.is_some_and(|codecs| codecs.iter().any(|codec| l.speaks(*codec))) {
            l.answer_like(cx, None);
        }
    }

    /// True if its caller offers nothing but formats that we can only pass on.
    pub(crate) fn caller_has_only_foreign(&self, cx: &Context) -> bool {
        let spoken = self.caller().and_then(|caller| caller.spoken(cx));
        spoken.is_some_and(|spoken| spoken.codecs.is_empty() && !spoken.passed.is_empty())
    }

    /// Says to a caller that is about to be refused that nobody has a codec of its offer.
    pub(crate) fn explain_no_codec(&mut self, cx: &Context) {
        let warning = sdp_warning(&cx.config.host, &SdpError::NoCommonCodec);
        if let Some(caller) = self.caller_mut() {
            caller.set_refusal(warning);
        }
    }

    /// Brings the codecs of its legs together again, after a change of who hears whom: a leg with a format that we cannot decode hears only
    /// a peer with the same. Whoever speaks a codec of ours too is offered that; else the other party of the two is offered the format.
    /// Where neither helps they hear nothing.
    pub(super) fn mend_formats(&mut self, cx: &mut Context, now: Time) {
        if self.passing.is_some() || self.is_ending() {
            return;
        }
        let together = self.share();
        let mut asked = Vec::new();
        for at in 0..self.legs.len() {
            let l = &self.legs[at];
            let leg = l.id();
            let Some(codec) = l.foreign_codec().filter(|_| l.is_up() && !asked.contains(&leg)) else {
                continue;
            };
            let other = self.only_other(leg, &together);
            let beside = other.and_then(|other| self.leg(other)).and_then(Leg::codec);
            let fits = match other {
                Some(_) => beside == Some(codec),
                None => !self.needs_sound(leg, &together),
            };
            if fits || !self.legs[at].mends(codec, beside) {
                continue;
            }
            if self.legs[at].speaks_ours() {
                self.legs[at].offer_like(cx, now, None);
            } else if let (Some(other), Some(format)) = (other, self.legs[at].described()) {
                asked.push(other);
                if let Some(other) = self.leg_mut(other).filter(|other| !other.is_browser()) {
                    other.offer_like(cx, now, Some(format));
                }
            }
        }
    }

    /// The other one of two parties who hear each other and nobody else.
    fn only_other(&self, leg: LegId, together: &[Member]) -> Option<LegId> {
        if self.shared_bridge().is_some() || together.iter().any(|member| member.role != Role::Party) {
            return None;
        }
        match together {
            [one, other] if one.leg == leg => Some(other.leg),
            [one, other] if other.leg == leg => Some(one.leg),
            _ => None,
        }
    }

    /// True for a leg that is to hear several others, or a sound of ours while nobody has kept it waiting.
    fn needs_sound(&self, leg: LegId, together: &[Member]) -> bool {
        let is_mixed = together.len() >= 2 || self.shared_bridge().is_some();
        if is_mixed && together.iter().any(|member| member.leg == leg) {
            return true;
        }
        let is_alone = !self.members().into_iter().any(|other| other != leg);
        let Some(l) = self.leg(leg) else { return false };
        match self.hears(l) {
            Hears::Application => true,
            Hears::Music => is_alone,
            _ => false,
        }
    }
}
