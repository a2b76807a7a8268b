//! Faxes in the place of a leg's audio (ITU-T T.38).

use bytes::Bytes;
use media_core::negotiated::Transport;
use media_core::sdp::{Fax, SdpError};
use sans_io::Time;
use sip_core::endpoint::{Body, Headers};
use sip_core::message::StatusCode;

use super::Leg;
use crate::context::Context;

impl Leg {
    /// True while a fax has the place of its audio.
    pub(crate) fn has_fax(&self) -> bool {
        let media = self.negotiation().media();
        media.is_some_and(|media| matches!(media.transport, Transport::Udptl { .. }))
    }

    /// Offers its peer a fax, once.
    ///
    /// # Errors
    /// Nothing was offered: 491 where another change is under way, 488 where the leg cannot have a fax.
    pub(crate) fn offer_fax(&mut self, cx: &mut Context, now: Time, fax: &Fax) -> Result<(), StatusCode> {
        let usage = self.usage().filter(|usage| cx.endpoint.may_offer(*usage));
        let usage = usage.ok_or(StatusCode::REQUEST_PENDING)?;
        let sdp = self.negotiator_mut().offer_fax(fax);
        let sdp = sdp.ok_or(StatusCode::NOT_ACCEPTABLE_HERE)?;
        match cx.endpoint.offer_once(now, usage, Body::sdp(sdp), Headers::new()) {
            true => Ok(()),
            false => Err(StatusCode::REQUEST_PENDING),
        }
    }

    /// Takes the answer to our offer of a fax: how its peer describes it.
    ///
    /// # Errors
    /// Its peer has none; the previous agreement stands.
    pub(crate) fn fax_answered(&mut self, cx: &mut Context, answer: &[u8]) -> Result<Fax, SdpError> {
        let (fax, negotiated) = self.negotiator_mut().handle_fax_answer(answer)?;
        self.connect(cx, negotiated);
        Ok(fax)
    }

    /// Answers its peer's offer of a fax with how the other party describes it.
    ///
    /// # Errors
    /// The offer cannot be answered; the previous agreement stands.
    pub(crate) fn answer_fax(
        &mut self,
        cx: &mut Context,
        offer: &[u8],
        fax: &Fax,
    ) -> Result<Bytes, SdpError> {
        let answer = self.negotiator_mut().answer_fax(offer, fax)?;
        self.connect(cx, answer.negotiated);
        Ok(Bytes::from(answer.sdp))
    }
}
