//! Formats that a leg is offered, or answered with, so that it has the same as whoever its peer talks with: codecs that we speak, and formats
//! that we can only pass on.
//!
//! A leg that agreed to a format that we cannot decode hears nothing but a peer with the same: no music, no application, nobody in a mix.

use media_core::negotiated::{Codec, Direction, Negotiated, Passed};
use media_core::sdp::{self, Spoken, SrtpPolicy};
use sans_io::Time;

use super::Leg;
use super::negotiation::Negotiation;
use crate::context::Context;
use crate::pass_through::PassThrough;

/// Formats of a leg beside those that are being negotiated.
#[derive(Debug)]
pub(super) struct Formats {
    /// Codecs that we speak with it, best first.
    own: Vec<Codec>,
    /// The foreign format that it agreed to, as whoever it talks with describes it.
    in_use: Option<Passed>,
    /// Codecs, its own and the other party's, for which another one was looked for already.
    tried: Option<(Codec, Option<Codec>)>,
}

impl Formats {
    pub(super) fn new(own: Vec<Codec>) -> Formats {
        Formats {
            own,
            in_use: None,
            tried: None,
        }
    }
}

impl Negotiation {
    /// Speaks these codecs and passes these formats on, in this order, until something is agreed.
    fn propose(&mut self, codecs: Vec<Codec>, passed: Vec<Passed>) {
        let config = &mut self.negotiator_mut().config;
        config.codecs = codecs;
        config.passed = passed;
    }

    /// Goes on with what was agreed: that one foreign format, if it is one, and our own codecs.
    pub(super) fn settle_formats(&mut self) {
        let in_use = self.formats().in_use.clone();
        self.propose_first(in_use);
    }

    /// Speaks our own codecs, and before them one foreign format if there is one.
    fn propose_first(&mut self, passed: Option<Passed>) {
        let foreign = passed.iter().map(|passed| Codec::Foreign(passed.format));
        let codecs = foreign.chain(self.own()).collect();
        self.propose(codecs, passed.into_iter().collect());
    }

    /// Our own codecs, in the order that suits the other party best.
    fn own(&self) -> Vec<Codec> {
        let now = self.negotiator().config.codecs.iter();
        let mut own: Vec<_> = now.copied().filter(|codec| !codec.is_foreign()).collect();
        let rest = self.formats().own.iter().filter(|codec| !own.contains(codec));
        let rest: Vec<_> = rest.copied().collect();
        own.extend(rest);
        own
    }

    /// Takes note of what was agreed.
    pub(super) fn formats_agreed(&mut self, negotiated: &Negotiated) {
        let sent = negotiated.audio().map(|audio| audio.send.1);
        let Some(sent) = sent else { return };
        let format = sent.foreign();
        let described = &self.negotiator_mut().config.passed;
        let in_use = described
            .iter()
            .find(|passed| Some(passed.format) == format)
            .cloned();
        self.formats_mut().in_use = in_use;
        self.settle_formats();
    }
}

impl Leg {
    /// Formats that its peer is known to have: those of its offer, or, once something is agreed, the codecs of ours in its last description
    /// and the foreign format that it agreed to. `None` before either is known.
    pub(crate) fn spoken(&self, cx: &Context) -> Option<Spoken> {
        let allowed = self.pass_through(cx);
        let own = &self.negotiation.formats().own;
        let mut spoken = match (self.negotiation.media(), self.negotiation.offer()) {
            (Some(media), _) => {
                let agreed = media.audio()?.send.1.foreign();
                let mut spoken = self.negotiation.negotiator().spoken().clone();
                spoken.passed.retain(|passed| Some(passed.format) == agreed);
                spoken
            }
            (None, Some(offer)) => {
                let seen = sdp::peek_passing(offer, &[], SrtpPolicy::Off).ok()?;
                Spoken {
                    codecs: seen.codecs,
                    passed: seen.passed,
                }
            }
            (None, None) => return None,
        };
        spoken.codecs.retain(|codec| own.contains(codec));
        spoken.passed.retain(|passed| allowed.allows(passed));
        Some(spoken)
    }

    /// The foreign format that it agreed to.
    pub(crate) fn foreign_codec(&self) -> Option<Codec> {
        let audio = self.negotiation.media()?.audio()?;
        Some(audio.send.1).filter(|codec| codec.is_foreign())
    }

    /// The foreign format that it agreed to, as its peer describes it.
    pub(crate) fn described(&self) -> Option<Passed> {
        let codec = self.foreign_codec()?.foreign()?;
        let passed = &self.negotiation.negotiator().spoken().passed;
        passed.iter().find(|passed| passed.format == codec).cloned()
    }

    /// Offers its peer, with our next offer, what whoever talks with it speaks: formats that we can only pass on after the codecs that both
    /// they and we speak, and before those that only we speak; a format that they have agreed to comes first. Where they speak none of ours,
    /// nothing else is offered.
    pub(crate) fn propose_for(&mut self, cx: &Context, spoken: &Spoken, is_agreed: bool) {
        let allowed = self.pass_through(cx);
        let passed = spoken.passed.iter().filter(|passed| allowed.allows(passed));
        let passed: Vec<_> = passed.cloned().collect();
        let foreign = passed.iter().map(|passed| Codec::Foreign(passed.format));
        let mut codecs = self.negotiation.own();
        if spoken.codecs.is_empty() && !passed.is_empty() {
            codecs.clear();
        }
        let common = codecs.iter().rposition(|codec| spoken.codecs.contains(codec));
        let at = common.filter(|_| !is_agreed).map_or(0, |at| at + 1);
        codecs.splice(at..at, foreign);
        self.negotiation.propose(codecs, passed);
    }

    /// Answers its peer with what the other party has agreed to, if that is a format that can only be passed on; else with none of those.
    pub(crate) fn answer_like(&mut self, cx: &Context, other: Option<Passed>) {
        let allowed = self.pass_through(cx);
        self.negotiation
            .propose_first(other.filter(|passed| allowed.allows(passed)));
    }

    /// Formats that are passed on undecoded between its peer and others.
    pub(crate) fn pass_through(&self, cx: &Context) -> PassThrough {
        cx.pass_through(self.account(), self.peer.device)
    }

    /// True for a codec of ours that it may have.
    pub(crate) fn speaks(&self, codec: Codec) -> bool {
        self.negotiation.formats().own.contains(&codec)
    }

    /// True if its peer's last description named a codec that we speak.
    pub(crate) fn speaks_ours(&self) -> bool {
        let spoken = &self.negotiation.negotiator().spoken().codecs;
        spoken.iter().any(|codec| self.speaks(*codec))
    }

    /// Offers its peer a format of whoever it talks with, or our own codecs alone.
    pub(crate) fn offer_like(&mut self, cx: &mut Context, now: Time, other: Option<Passed>) {
        self.answer_like(cx, other);
        self.offer_again(cx, now);
    }

    /// Notes that its codec does not suit that of the other party. False if that is known already: what could be done was tried.
    pub(crate) fn mends(&mut self, codec: Codec, other: Option<Codec>) -> bool {
        let tried = Some((codec, other));
        std::mem::replace(&mut self.negotiation.formats_mut().tried, tried) != tried
    }

    /// Goes back to what was agreed: what was proposed since came to nothing.
    pub(crate) fn settle_formats(&mut self) {
        if self.negotiation.is_agreed() {
            self.negotiation.settle_formats();
        }
    }
}

/// Direction and formats that a phone or trunk offers; of those that we cannot decode, those that may be passed on.
pub(crate) fn offered(allowed: &PassThrough, offer: &[u8]) -> Option<(Direction, Spoken)> {
    let mut seen = sdp::peek_passing(offer, &[], SrtpPolicy::Off).ok()?;
    seen.passed.retain(|passed| allowed.allows(passed));
    let spoken = Spoken {
        codecs: seen.codecs,
        passed: seen.passed,
    };
    Some((seen.direction, spoken))
}
