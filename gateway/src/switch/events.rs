//! Events of calls: which are the call centre's, and what the others lead to.

use sans_io::Time;
use session_core::stir::Verdict;
use session_core::{CallRecord, Coordinator, Event, SessionId, Source};
use sip_core::message::StatusCode;

use super::Switch;
use crate::call_log::CallLines;
use crate::centre::view::{Attestation, CallerVerification};
use crate::trunk_log;

impl Switch {
    /// Acts on an event.
    pub(super) fn event(&mut self, now: Time, event: Event, coordinator: &mut Coordinator) {
        if let Event::Answered { session, .. } = &event {
            self.underway.remove(session);
            self.parked_answered(now, *session, coordinator);
            self.feature_answered(now, *session);
            if let Some(lines) = self.lines.get_mut(session) {
                lines.answered(now, *session);
            }
        }
        if let Event::Replaces { session, call, .. } | Event::Joins { session, call, .. } = &event {
            let lines = CallLines::into_another(now, *session, call);
            let kind = lines.kind();
            self.lines.insert(*session, lines);
            self.arrived(now, (*session, kind), call, None, coordinator);
        }
        let is_centres = self.tell_centre(now, &event, coordinator);
        self.notify_recordings(now, &event, coordinator);
        match event {
            // The log and the inquiries are about every call.
            Event::Ended { session, record } => {
                self.parked_over(now, session, coordinator);
                self.feature_over(session);
                self.ended(session, &record);
            }
            Event::Report { session, leg, report } => {
                self.inquiries.reported(session, leg, &report, coordinator);
            }
            event if !is_centres => self.act(now, event, coordinator),
            _ => {}
        }
    }

    /// Lets the call centre act on an event of its own, or see one that is not. True for its own.
    fn tell_centre(&mut self, now: Time, event: &Event, coordinator: &mut Coordinator) -> bool {
        let Some((centre, mut cx)) = self.centre(now, coordinator) else {
            return false;
        };
        let is_own = centre.owns(event);
        if is_own {
            centre.handle(event, &mut cx);
        } else {
            centre.observe(event, &mut cx);
        }
        is_own
    }

    /// Acts on an event of a call that is none of the call centre's.
    fn act(&mut self, now: Time, event: Event, coordinator: &mut Coordinator) {
        match event {
            Event::Incoming { session, leg, call } => self.route(now, session, leg, &call, coordinator),
            Event::Diverted {
                session,
                leg,
                user,
                numbers,
            } => self.diverted(now, (session, leg), &user, numbers, coordinator),
            Event::DialFailed { session, code, rang } => {
                self.dial_failed(now, session, (code, rang), coordinator);
            }
            Event::InvitationAnswered {
                session,
                invitation,
                leg,
            } => self.parked_rang(now, (session, invitation), Some(leg), coordinator),
            Event::InvitationEnded {
                session, invitation, ..
            } => self.parked_rang(now, (session, invitation), None, coordinator),
            Event::Refer { leg, to, .. } => self.refer(now, leg, to, coordinator),
            Event::Replaces { leg, replaced, .. } => coordinator.replace(now, leg, replaced),
            Event::Joins { leg, joined, .. } => coordinator.join_call(now, leg, joined),
            // Those who were called in it are found by their other session.
            Event::Joined { session, guest } => {
                tracing::info!(session = session.0, guest = guest.0, "calls joined");
                self.lines.remove(&guest);
                self.underway.remove(&guest);
                self.parked_over(now, guest, coordinator);
            }
            Event::Away { session, leg, away } => {
                tracing::info!(session = session.0, leg = leg.0, away, "browser presence");
            }
            Event::Watch { subscription, watch } => self.watched(now, subscription, &watch, coordinator),
            Event::Mailbox { notice, about } => self.noticed(now, notice, &about, coordinator),
            Event::Message { message, about } => self.written(now, message, &about, coordinator),
            Event::MessageKept { message, saved } => self.message_kept(now, message, saved, coordinator),
            Event::MessageOver { message } => self.message_over(message),
            Event::Refused(refusal) => {
                if let Some(sentry) = &self.sentry {
                    sentry.refused_sip(&refusal);
                }
            }
            Event::Banned(ban) => {
                if let Some(sentry) = &self.sentry {
                    sentry.adopt(&ban);
                }
            }
            Event::CapReached { cap, by } => trunk_log::cap_reached(&cap, by.as_ref()),
            Event::Registration { registrant, state } => trunk_log::registration_changed(&registrant, state),
            Event::Verdict {
                session,
                trunk,
                verdict,
            } => self.verified(session, &trunk, &verdict),
            Event::Target { trunk, target } => trunk_log::target_changed(&trunk, &target),
            Event::Reachable { user, reachable } => tracing::debug!(user, reachable, "reachable"),
            other => tracing::debug!(event = ?other, "session"),
        }
    }

    /// Logs and counts the verdict on a caller.
    fn verified(&mut self, session: SessionId, trunk: &str, verdict: &Verdict) {
        let verification = CallerVerification::from(verdict);
        let attestation = verification.attestation.map_or("none", Attestation::word);
        tracing::info!(
            session = session.0,
            trunk,
            verdict = verification.verdict.word(),
            attestation,
            reason = verification.reason.as_deref(),
            signer = verification.signer.join(" "),
            "signature of the caller"
        );
        self.counts.verdict(verification.verdict.word(), attestation);
    }

    fn ended(&mut self, session: SessionId, record: &CallRecord) {
        self.inquiries.forget(session);
        self.underway.remove(&session);
        let lines = self.lines.remove(&session).unwrap_or_default();
        // Its caller tries again with credentials, which makes another call.
        if is_challenged(record) {
            return tracing::info!(
                session = session.0,
                code = record.code.get(),
                "call challenged by the PBX"
            );
        }
        self.counts.count(lines.direction(), record);
        lines.end(record);
        tracing::debug!(?record, "call record");
    }
}

/// True for the call of a user of a PBX that the PBX challenged: no other caller gets such a status.
fn is_challenged(record: &CallRecord) -> bool {
    let is_challenge = matches!(
        record.code,
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
    );
    is_challenge && record.answered.is_none() && matches!(record.source, Some(Source::User(_)))
}
