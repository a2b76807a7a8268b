//! REFER of a client of the PBX: it goes on within the dialog of the other leg, and what comes of it goes back. The gateway itself calls
//! nobody: the PBX would ask for credentials that only the client has.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{Headers, ReferId};
use sip_core::message::{NameAddr, Referral, ReplacedDialog, StatusCode};
use sip_core::uri::Uri;

use crate::coordinator::{Coordinator, Timer};
use crate::leg::Leg;
use crate::transfer::Refer;

/// Time that client and PBX may take to hang up by themselves after a transfer that succeeded.
const GOODBYE: Duration = Duration::from_secs(1);

impl Coordinator {
    /// Passes a REFER of a client's leg on; `None` for a leg of somebody else.
    ///
    /// # Errors
    /// The status that refuses it: 491 while another one is under way, 404 for a domain that is not the PBX's, 603 if it names a call
    /// that is none of the client's.
    pub(crate) fn refer_on(
        &mut self,
        now: Time,
        leg: LegId,
        refer: ReferId,
        referral: &Referral,
    ) -> Option<Result<(), StatusCode>> {
        let user = self.leg(leg)?.user()?;
        if !self.context().is_client(user) {
            return None;
        }
        let passed_on = self.place_of_refer(leg, referral);
        Some(passed_on.map(|(other, target, dialog)| {
            let asked = |l: &mut Leg, refer: Refer| *l.refer_mut() = refer;
            self.with_leg(leg, |call, cx| {
                if let Some(l) = call.leg_mut(leg) {
                    asked(l, Refer::Asked(refer));
                }
                if let Some(l) = call.leg_mut(other)
                    && let Some(usage) = l.usage()
                {
                    asked(l, Refer::PassedOn(leg));
                    cx.endpoint
                        .refer(now, usage, &target, dialog.as_ref(), &referral.credentials);
                }
            });
        }))
    }

    /// Leg that a REFER goes on to, whom it names there, and the dialog to take over.
    fn place_of_refer(
        &self,
        leg: LegId,
        referral: &Referral,
    ) -> Result<(LegId, Uri, Option<ReplacedDialog>), StatusCode> {
        let other = self.pbx_leg_beside(leg).ok_or(StatusCode::DECLINE)?;
        let is_idle = |leg: LegId| self.leg(leg).is_some_and(|l| l.refer() == Refer::None);
        if !is_idle(leg) || !is_idle(other) {
            return Err(StatusCode::REQUEST_PENDING);
        }
        let Some(dialog) = &referral.replaces else {
            let target = &referral.target;
            let is_of_pbx = self.context().is_of_pbx(&crate::dial::host_text(target));
            return match target.is_sip() && is_of_pbx {
                true => Ok((other, target.clone(), None)),
                false => Err(StatusCode::NOT_FOUND),
            };
        };
        let asker = self.leg(leg).ok_or(StatusCode::DECLINE)?;
        let second = self.replaced(asker, dialog).ok_or(StatusCode::DECLINE)?;
        let beyond = self.pbx_leg_beside(second).ok_or(StatusCode::DECLINE)?;
        let dialog = self.dialog_of(beyond).ok_or(StatusCode::DECLINE)?;
        let target = self.address_of(beyond).ok_or(StatusCode::DECLINE)?;
        Ok((other, target, Some(dialog)))
    }

    /// The leg at the PBX in the call of a client's leg.
    fn pbx_leg_beside(&self, leg: LegId) -> Option<LegId> {
        let pbx = self.context().upstream.trunk()?;
        let call = self.call_of(leg)?;
        let mut members = call.members().into_iter().filter(|other| *other != leg);
        members.find(|other| {
            let is_up = |l: &Leg| l.is_up() && l.trunk() == Some(pbx);
            call.leg(*other).is_some_and(is_up)
        })
    }

    /// Address of the peer of a leg, as its dialog names it.
    fn address_of(&self, leg: LegId) -> Option<Uri> {
        let usage = self.leg(leg)?.usage()?;
        let info = self.context().endpoint.usage(usage)?;
        NameAddr::parse(&info.remote).map(|address| address.uri.to_uri())
    }

    /// Tells a client how the PBX answered its REFER, which was passed on over `leg`; false if none was. A challenge goes back as it came,
    /// and the client's next REFER has the credentials.
    pub(crate) fn refer_refused_back(
        &mut self,
        now: Time,
        leg: LegId,
        code: StatusCode,
        challenges: &Headers,
    ) -> bool {
        let Some(Refer::PassedOn(client)) = self.leg(leg).map(Leg::refer) else {
            return false;
        };
        self.with_leg(leg, |call, cx| {
            if !code.is_refusal() {
                return call.accept_refer(cx, now, client);
            }
            if let Some(l) = call.leg_mut(leg) {
                *l.refer_mut() = Refer::None;
            }
            if let Some(l) = call.leg_mut(client) {
                l.refuse_refer(cx, now, code, challenges);
            }
        });
        true
    }

    /// Tells a client how the transfer goes that it asked for by a REFER which was passed on over `leg`; false if none was.
    pub(crate) fn refer_passed_back(&mut self, now: Time, leg: LegId, code: StatusCode) -> bool {
        let Some(Refer::PassedOn(client)) = self.leg(leg).map(Leg::refer) else {
            return false;
        };
        self.with_leg(leg, |call, cx| {
            if let Some(l) = call.leg_mut(leg).filter(|_| code.is_final()) {
                *l.refer_mut() = Refer::None;
            }
            call.accept_refer(cx, now, client);
            let is_done = call
                .leg_mut(client)
                .is_some_and(|l| l.refer_progress(cx, now, code));
            if is_done {
                cx.timers.set(
                    Timer::Transferred(client),
                    now + GOODBYE,
                    "BYE after a transfer at the PBX",
                );
            }
        });
        true
    }

    /// A client was transferred away, and nobody hung up.
    pub(crate) fn client_transferred(&mut self, now: Time, leg: LegId) {
        self.with_leg(leg, |call, cx| {
            let end = crate::call::End::new(crate::record::Cause::Local, StatusCode::OK);
            call.end(cx, now, end);
        });
    }
}
