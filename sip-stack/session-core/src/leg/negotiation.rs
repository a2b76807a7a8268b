//! Negotiation of a leg's media by offer and answer (RFC 3264): whose turn it is, and what was agreed.

use bytes::Bytes;
use media_core::control::Command;
use media_core::negotiated::{Codec, Direction, Negotiated};
use media_core::sdp::{self, Asked, Fax, Negotiator, SdpError, SrtpPolicy};
use sans_io::Time;
use sip_core::endpoint::{Body, ForkId};

use super::Leg;
use super::forks::Forks;
use super::formats::Formats;
use crate::context::Context;

/// The negotiation of a leg.
#[derive(Debug)]
pub(crate) struct Negotiation {
    negotiator: Negotiator,
    formats: Formats,
    stage: Stage,
    /// Fax that our INVITE offers in place of audio.
    fax: Option<Fax>,
}

/// Stage of a negotiation.
#[derive(Debug)]
enum Stage {
    /// Our offer goes with our INVITE, and each fork answers for itself.
    Offering(Box<Forks>),
    /// Our INVITE goes without one: the peer's 2xx brings its offer, and our ACK the answer.
    Awaiting,
    /// The peer's INVITE brought this offer.
    Offered(Bytes),
    /// The peer's INVITE brought none: it answers ours, in its PRACK or its ACK.
    Late,
    /// Both agreed, at least once. The answer that we gave to the INVITE is one and the same in every 183 and in the 200.
    Agreed {
        media: Box<Negotiated>,
        answer: Option<Bytes>,
    },
}

/// Meaning of a provisional response of a fork.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Set if the response changed what was agreed.
    pub(crate) agreed: Option<Box<Negotiated>>,
    /// The fork sends media before anybody answers.
    pub(crate) early_media: bool,
}

impl Negotiation {
    /// For an INVITE of ours.
    pub(crate) fn offering(negotiator: Negotiator) -> Negotiation {
        Negotiation::at(negotiator, Stage::Offering(Box::default()))
    }

    fn at(negotiator: Negotiator, stage: Stage) -> Negotiation {
        Negotiation {
            formats: Formats::new(negotiator.config.codecs.clone()),
            negotiator,
            stage,
            fax: None,
        }
    }

    /// For an INVITE of ours that offers a fax alone.
    pub(crate) fn offering_fax(negotiator: Negotiator, fax: Fax) -> Negotiation {
        Negotiation {
            fax: Some(fax),
            ..Negotiation::offering(negotiator)
        }
    }

    /// For an INVITE of ours without an offer.
    pub(crate) fn awaiting(negotiator: Negotiator) -> Negotiation {
        Negotiation::at(negotiator, Stage::Awaiting)
    }

    /// True if our INVITE brings an offer.
    pub(super) fn offers(&self) -> bool {
        matches!(self.stage, Stage::Offering(_))
    }

    /// True if the peer's 2xx is to bring an offer, which our ACK answers.
    pub(crate) fn awaits_offer(&self) -> bool {
        matches!(self.stage, Stage::Awaiting)
    }

    /// For an INVITE of the peer, with an offer or without.
    pub(crate) fn offered(negotiator: Negotiator, offer: Option<Bytes>) -> Negotiation {
        let stage = offer.map_or(Stage::Late, Stage::Offered);
        Negotiation::at(negotiator, stage)
    }

    /// Agreement that is in force.
    pub(crate) fn media(&self) -> Option<&Negotiated> {
        match &self.stage {
            Stage::Agreed { media, .. } => Some(media),
            Stage::Offering(forks) => forks.current(),
            Stage::Awaiting | Stage::Offered(_) | Stage::Late => None,
        }
    }

    /// True if the peer's INVITE brought an offer.
    pub(crate) fn has_offer(&self) -> bool {
        match &self.stage {
            Stage::Offered(_) => true,
            Stage::Agreed { answer, .. } => answer.is_some(),
            Stage::Offering(_) | Stage::Awaiting | Stage::Late => false,
        }
    }

    /// Offer of the peer's INVITE, until it is answered.
    pub(super) fn offer(&self) -> Option<&Bytes> {
        match &self.stage {
            Stage::Offered(offer) => Some(offer),
            Stage::Offering(_) | Stage::Awaiting | Stage::Late | Stage::Agreed { .. } => None,
        }
    }

    /// True if the exchange that opens the session is over.
    pub(super) fn is_agreed(&self) -> bool {
        matches!(self.stage, Stage::Agreed { .. })
    }

    pub(super) fn negotiator(&self) -> &Negotiator {
        &self.negotiator
    }

    pub(super) fn negotiator_mut(&mut self) -> &mut Negotiator {
        &mut self.negotiator
    }

    pub(super) fn formats(&self) -> &Formats {
        &self.formats
    }

    pub(super) fn formats_mut(&mut self) -> &mut Formats {
        &mut self.formats
    }

    /// Codec that we send, or will if we answer the offer.
    fn codec(&self) -> Option<Codec> {
        if let Some(audio) = self.media().and_then(Negotiated::audio) {
            return Some(audio.send.1);
        }
        let Stage::Offered(offer) = &self.stage else {
            return None;
        };
        let offered = sdp::peek(offer, &[], SrtpPolicy::Off).ok()?.codecs;
        let mut ours = self.negotiator.config.codecs.iter();
        ours.find(|codec| offered.contains(codec)).copied()
    }

    fn agree(&mut self, negotiated: Negotiated) {
        let negotiated = Box::new(negotiated);
        match &mut self.stage {
            Stage::Offering(forks) => forks.set_current(negotiated),
            Stage::Agreed { media, .. } => *media = negotiated,
            Stage::Awaiting | Stage::Offered(_) | Stage::Late => {
                self.stage = Stage::Agreed {
                    media: negotiated,
                    answer: None,
                };
            }
        }
    }
}

impl Leg {
    /// Our offer.
    pub(crate) fn offer_sdp(&mut self, direction: Direction) -> Bytes {
        let negotiation = &mut self.negotiation;
        let fax = negotiation
            .fax
            .as_ref()
            .filter(|_| matches!(negotiation.stage, Stage::Offering(_)));
        let offered = fax.and_then(|fax| negotiation.negotiator.offer_fax(fax));
        Bytes::from(offered.unwrap_or_else(|| negotiation.negotiator.offer(direction)))
    }

    /// Our offer as it would be now.
    pub(crate) fn describe(&self) -> String {
        self.negotiation.negotiator.clone().offer(self.wanted_direction())
    }

    /// The answer to the offer of its INVITE, made once; its media are connected with it. An offer of a fax is answered with `fax`, how the
    /// other party describes it. `None` if the INVITE brought none.
    ///
    /// # Errors
    /// The offer cannot be answered.
    pub(crate) fn answer_sdp(
        &mut self,
        cx: &mut Context,
        fax: Option<&Fax>,
    ) -> Result<Option<Bytes>, SdpError> {
        let offer = match &self.negotiation.stage {
            Stage::Agreed { answer, .. } => return Ok(answer.clone()),
            Stage::Offered(offer) => offer,
            Stage::Offering(_) | Stage::Awaiting | Stage::Late => return Ok(None),
        };
        let negotiator = &mut self.negotiation.negotiator;
        let made = match fax {
            Some(fax) => negotiator.answer_fax(offer, fax)?,
            None => negotiator.handle_offer(offer, Direction::SendRecv, &mut cx.rng)?,
        };
        let sdp = Bytes::from(made.sdp);
        self.connect(cx, made.negotiated);
        if let Stage::Agreed { answer, .. } = &mut self.negotiation.stage {
            *answer = Some(sdp.clone());
        }
        Ok(Some(sdp))
    }

    /// Takes a provisional response of a fork. A description that cannot be read does not invalidate the status; one that is
    /// repeated changes nothing.
    pub(crate) fn fork_progress(&mut self, fork: Option<ForkId>, sdp: Option<&[u8]>) -> Progress {
        let Stage::Offering(forks) = &mut self.negotiation.stage else {
            return Progress {
                agreed: None,
                early_media: false,
            };
        };
        let negotiator = &mut self.negotiation.negotiator;
        let new = sdp.filter(|sdp| !forks.repeats(fork, sdp));
        let agreed = new.and_then(|sdp| forks.answered(negotiator, fork, sdp).ok());
        Progress {
            agreed: agreed.map(Box::new),
            early_media: sdp.is_some() && forks.has(fork),
        }
    }

    /// Takes the 2xx of a fork, which has the call. It may repeat the description of a 183, or bring its own; where it brings none
    /// that can be used, that of the fork's 183 stands (RFC 3261 §13.2.2.4). False if there is none.
    pub(crate) fn fork_won(&mut self, cx: &mut Context, fork: ForkId, sdp: Option<&[u8]>) -> bool {
        let Stage::Offering(forks) = &mut self.negotiation.stage else {
            return false;
        };
        let negotiator = &mut self.negotiation.negotiator;
        let said = sdp.and_then(|sdp| forks.answered(negotiator, Some(fork), sdp).ok());
        let Some(negotiated) = said.or_else(|| forks.adopt(negotiator, fork)) else {
            return false;
        };
        let is_new = forks.current() != Some(&negotiated);
        self.negotiation.stage = Stage::Agreed {
            media: Box::new(negotiated.clone()),
            answer: None,
        };
        self.negotiation.formats_agreed(&negotiated);
        if is_new {
            self.connect(cx, negotiated);
        }
        true
    }

    /// Takes the 2xx to an INVITE of ours without an offer: it brings one, and our ACK brings the answer. False if there is none that
    /// can be answered; the 2xx is acknowledged all the same.
    pub(crate) fn late_offer(&mut self, cx: &mut Context, now: Time, offer: Option<&[u8]>) -> bool {
        let Some(usage) = self.usage() else { return false };
        let negotiator = &mut self.negotiation.negotiator;
        let made = offer.and_then(|offer| {
            negotiator
                .handle_offer(offer, Direction::SendRecv, &mut cx.rng)
                .ok()
        });
        let Some(made) = made else {
            cx.endpoint.ack(now, usage, None);
            return false;
        };
        self.connect(cx, made.negotiated);
        cx.endpoint.ack(now, usage, Some(Body::sdp(made.sdp)));
        true
    }

    /// Codec that the peer is sent, or will be if the offer of its INVITE is answered.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.negotiation.codec()
    }

    /// Puts its codecs in an order by which the sound of whoever its peer talks with, who is sent `other`, need not be converted for
    /// nothing: Opus first where that is Opus, and wideband last where it is not wideband. The codecs of a browser stay as they are.
    pub(crate) fn suit(&mut self, other: Codec) {
        if self.is_browser() {
            return;
        }
        let codecs = &mut self.negotiation.negotiator.config.codecs;
        match other {
            Codec::Opus => codecs.sort_by_key(|codec| *codec != Codec::Opus),
            Codec::G722 | Codec::Foreign(_) => {}
            Codec::Pcmu | Codec::Pcma => codecs.sort_by_key(|codec| codec.is_wideband()),
        }
    }

    /// Wish of an offer of the peer. `None` if it cannot be answered.
    pub(crate) fn assess(&self, offer: &[u8]) -> Option<Asked> {
        self.negotiation.negotiator.assess(offer).ok()
    }

    /// Direction of its audio, as it was agreed.
    pub(crate) fn direction(&self) -> Option<Direction> {
        let media = self.negotiation.media()?;
        media.audio().map(|audio| audio.direction)
    }

    /// The most that its peer permits whoever talks with it, as that one's leg has it: whatever we asked for, unless the peer
    /// agreed to less.
    pub(crate) fn permits(&self) -> Direction {
        match self.direction() {
            Some(agreed) if agreed != self.wanted_direction() => agreed.reversed(),
            Some(_) | None => Direction::SendRecv,
        }
    }

    /// Answers the peer's re-INVITE or UPDATE. `fork` names the fork that offers, while nobody has answered our INVITE.
    ///
    /// # Errors
    /// The offer cannot be answered; the previous agreement stands.
    pub(crate) fn reoffered(
        &mut self,
        cx: &mut Context,
        fork: Option<ForkId>,
        offer: &[u8],
    ) -> Result<String, SdpError> {
        let want = self.wanted_direction();
        let negotiator = &mut self.negotiation.negotiator;
        if let (Some(fork), Stage::Offering(forks)) = (fork, &self.negotiation.stage) {
            forks.adopt(negotiator, fork);
        }
        let answer = negotiator.handle_offer(offer, want, &mut cx.rng)?;
        if let (Some(fork), Stage::Offering(forks)) = (fork, &mut self.negotiation.stage) {
            forks.agreed(negotiator, Some(fork), offer, &answer.negotiated);
        }
        self.connect(cx, answer.negotiated);
        Ok(answer.sdp)
    }

    /// Takes the answer to an offer of ours in the call.
    ///
    /// # Errors
    /// The answer cannot be used; the previous agreement stands, if there is one.
    pub(crate) fn offer_answered(&mut self, cx: &mut Context, answer: &[u8]) -> Result<(), SdpError> {
        let negotiated = self.negotiation.negotiator.handle_answer(answer)?;
        self.connect(cx, negotiated);
        Ok(())
    }

    /// Hands a negotiation's outcome to the shard.
    pub(crate) fn connect(&mut self, cx: &mut Context, negotiated: Negotiated) {
        if let Some(audio) = negotiated.audio() {
            self.hold.agreed(self.peer.device, audio.direction);
        }
        self.negotiation.agree(negotiated.clone());
        if self.negotiation.is_agreed() {
            self.negotiation.formats_agreed(&negotiated);
        }
        self.vouch(cx);
        let leg = self.id;
        let media = Box::new(negotiated);
        self.command(cx, Command::Connect { leg, media });
    }

    /// True if its peer takes digits by RFC 4733.
    pub(crate) fn takes_telephone_events(&self) -> bool {
        let media = self.negotiation.media();
        let audio = media.and_then(Negotiated::audio);
        audio.is_some_and(|audio| audio.telephone_event.is_some())
    }

    /// Fax of its peer, as its answer to our offer of one described it.
    pub(crate) fn peer_fax(&self) -> Option<&Fax> {
        self.negotiation.negotiator.peer_fax()
    }

    pub(crate) fn negotiator_mut(&mut self) -> &mut Negotiator {
        &mut self.negotiation.negotiator
    }
}
