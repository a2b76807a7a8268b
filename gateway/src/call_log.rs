//! The lines that each call leaves in the log: start, answer and end, with what an engineer needs. They
//! contain no numbers or names of people.

use std::fmt;

use call_engine::Decision;
use sans_io::Time;
use session_core::{CallRecord, Cause, Fault, IncomingCall, SessionId, Source};

use crate::centre::view::{CallKind, HungUpBy};

/// A call that is logged.
#[derive(Clone, Debug)]
pub(crate) struct CallLines {
    call_id: String,
    kind: Option<CallKind>,
    from: End,
    to: End,
    began: Option<Time>,
    answered: bool,
}

/// One side of a call: its kind, and the name of a trunk or queue.
#[derive(Clone, Debug, Default)]
struct End {
    kind: &'static str,
    name: Option<String>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        match &self.name {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

/// Lines of a call that the gateway made.
impl Default for CallLines {
    fn default() -> CallLines {
        CallLines {
            call_id: String::new(),
            kind: None,
            from: End {
                kind: "gateway",
                name: None,
            },
            to: End::default(),
            began: None,
            answered: false,
        }
    }
}

impl CallLines {
    /// Logs that a call arrived, and where it goes.
    pub(crate) fn begin(
        now: Time,
        session: SessionId,
        call: &IncomingCall,
        decision: &Decision,
    ) -> CallLines {
        let to = End {
            kind: decision.kind(),
            name: match decision {
                Decision::Trunk { trunks, .. } => Some(trunks.names().collect::<Vec<_>>().join(", ")),
                Decision::Queue { name, .. } | Decision::Group { name } => Some(name.clone()),
                Decision::Reject { code } => Some(code.to_string()),
                _ => None,
            },
        };
        let kind = match (&call.source, decision) {
            (Source::Trunk(_), Decision::Trunk { .. }) => CallKind::Transit,
            (Source::Trunk(_), _) => CallKind::Inbound,
            (_, Decision::Trunk { .. }) => CallKind::Outbound,
            _ => CallKind::Internal,
        };
        CallLines::of(now, session, call, kind, to)
    }

    /// Logs that a call arrived which asks for the place of another one, or to join it (INVITE with `Replaces` or
    /// `Join`).
    pub(crate) fn into_another(now: Time, session: SessionId, call: &IncomingCall) -> CallLines {
        let to = End {
            kind: "call in progress",
            name: None,
        };
        let kind = match &call.source {
            Source::Trunk(_) => CallKind::Inbound,
            Source::User(_) | Source::Anyone => CallKind::Internal,
        };
        CallLines::of(now, session, call, kind, to)
    }

    /// Logs that a user's phone dialled a feature code.
    pub(crate) fn feature(now: Time, session: SessionId, call: &IncomingCall) -> CallLines {
        let to = End {
            kind: "feature code",
            name: None,
        };
        CallLines::of(now, session, call, CallKind::Internal, to)
    }

    fn of(now: Time, session: SessionId, call: &IncomingCall, kind: CallKind, to: End) -> CallLines {
        let (from, name) = match &call.source {
            Source::User(_) => ("user", None),
            Source::Trunk(name) => ("trunk", Some(name.clone())),
            Source::Anyone => ("anyone", None),
        };
        let from = End { kind: from, name };
        tracing::info!(
            session = session.0,
            call_id = call.call_id,
            direction = direction(Some(kind)),
            from = from.to_string(),
            to = to.to_string(),
            "call"
        );
        CallLines {
            call_id: call.call_id.clone(),
            kind: Some(kind),
            from,
            to,
            began: Some(now),
            answered: false,
        }
    }

    /// Direction of the call: `inbound`, `outbound`, `internal`, `transit`, or `own` for a call that the gateway made.
    pub(crate) fn direction(&self) -> &'static str {
        direction(self.kind)
    }

    /// Kind of the call; none for one that the gateway made.
    pub(crate) fn kind(&self) -> Option<CallKind> {
        self.kind
    }

    /// Logs the first answer.
    pub(crate) fn answered(&mut self, now: Time, session: SessionId) {
        if std::mem::replace(&mut self.answered, true) {
            return;
        }
        let after = self.began.map_or(0, |began| now.since(began).as_millis());
        tracing::info!(
            session = session.0,
            call_id = self.call_id,
            direction = self.direction(),
            from = self.from.to_string(),
            to = self.to.to_string(),
            after_ms = after,
            "call answered"
        );
    }

    /// Logs the end.
    pub(crate) fn end(self, record: &CallRecord) {
        let talked = record
            .answered
            .map_or(0, |answered| record.ended.since(answered).as_millis());
        let others = |separator: &str, of: &dyn Fn(&session_core::LegRecord) -> Option<String>| {
            record
                .legs
                .iter()
                .filter_map(of)
                .collect::<Vec<_>>()
                .join(separator)
        };
        let far = others(" ", &|leg| {
            Some(leg.call_id.clone()).filter(|id| !id.is_empty() && *id != self.call_id)
        });
        let mos = others(" ", &|leg| Some(format!("{:.2}", leg.report.mos)));
        tracing::info!(
            session = record.session.0,
            call_id = self.call_id,
            far_call_id = far,
            direction = self.direction(),
            from = self.from.to_string(),
            to = self.to.to_string(),
            code = record.code.get(),
            reason = reason(record),
            talked_ms = talked,
            mos,
            "call ended"
        );
    }
}

/// Direction of a call, in a word; `own` for one that the gateway made.
fn direction(kind: Option<CallKind>) -> &'static str {
    match kind {
        None => "own",
        Some(CallKind::Queue | CallKind::Inbound) => "inbound",
        Some(CallKind::Outbound) => "outbound",
        Some(CallKind::Internal) => "internal",
        Some(CallKind::Transit) => "transit",
    }
}

/// Side that hung up, or refused.
pub(crate) fn hung_up_by(record: &CallRecord) -> Option<HungUpBy> {
    match (record.cause, record.fault) {
        (Cause::Caller, _) => Some(HungUpBy::Caller),
        (Cause::Callee, _) | (Cause::Refused, Some(Fault::Rejected)) => Some(HungUpBy::Called),
        (Cause::Local, _) | (Cause::Refused, None) => Some(HungUpBy::Gateway),
        (Cause::Refused | Cause::Away | Cause::Lost | Cause::Failed, _) => None,
    }
}

/// Reason why a call ended, in words.
pub(crate) fn reason(record: &CallRecord) -> String {
    let by = match record.cause {
        Cause::Caller if record.answered.is_none() => "the caller hung up before the answer",
        Cause::Caller => "the caller hung up",
        Cause::Callee => "the called party hung up",
        Cause::Local if record.fault == Some(Fault::Capped) => "it lasted for as long as a cap allows",
        Cause::Local => "ended by the gateway",
        Cause::Away => "the browser did not come back",
        Cause::Lost => "the other end is gone",
        Cause::Refused | Cause::Failed => {
            return match (record.fault, record.cause) {
                (Some(fault), _) => fault.to_string(),
                (None, Cause::Refused) => "refused by the gateway".to_owned(),
                (None, _) => "failed".to_owned(),
            };
        }
    };
    by.to_owned()
}

#[cfg(test)]
mod tests {
    use call_engine::Origin;
    use sip_core::message::StatusCode;

    use super::*;

    fn record(cause: Cause, code: StatusCode, fault: Option<Fault>, answered: bool) -> CallRecord {
        CallRecord {
            session: SessionId(1),
            source: None,
            from: "alice".into(),
            to: "0301234".into(),
            forwarded: Vec::new(),
            began: Time(0),
            answered: answered.then_some(Time(1)),
            ended: Time(2),
            cause,
            code,
            fault,
            legs: Vec::new(),
        }
    }

    #[test]
    fn every_end_has_a_reason_in_words() {
        for (cause, code, fault, answered, words) in [
            (
                Cause::Caller,
                StatusCode::REQUEST_TERMINATED,
                None,
                false,
                "the caller hung up before the answer",
            ),
            (Cause::Caller, StatusCode::OK, None, true, "the caller hung up"),
            (
                Cause::Callee,
                StatusCode::OK,
                None,
                true,
                "the called party hung up",
            ),
            (
                Cause::Refused,
                StatusCode::BUSY_HERE,
                Some(Fault::Rejected),
                false,
                "refused by the called party",
            ),
            (
                Cause::Refused,
                StatusCode::SERVICE_UNAVAILABLE,
                Some(Fault::Unresolved),
                false,
                "the name does not resolve",
            ),
            (
                Cause::Refused,
                StatusCode::SERVICE_UNAVAILABLE,
                Some(Fault::NoPort),
                false,
                "no free RTP port",
            ),
            (
                Cause::Refused,
                StatusCode::TEMPORARILY_UNAVAILABLE,
                Some(Fault::NoAnswer),
                false,
                "no answer in time",
            ),
            (
                Cause::Refused,
                StatusCode::NOT_FOUND,
                None,
                false,
                "refused by the gateway",
            ),
        ] {
            assert_eq!(reason(&record(cause, code, fault, answered)), words);
        }
    }

    #[test]
    fn trunks_are_named_and_people_are_not() {
        let call = IncomingCall {
            source: Source::User("alice".into()),
            from: "alice".into(),
            display: "Alice".into(),
            identity: session_core::identity::Identity::default(),
            to: "0301234".into(),
            domain: "example.com".into(),
            peer: ([192, 0, 2, 1], 5060).into(),
            call_id: "abc@192.0.2.1".into(),
            browser: false,
            emergency: None,
            way: None,
        };
        let decision = Decision::Trunk {
            trunks: "carrier".into(),
            number: "+49301234".into(),
            caller_id: None,
            on_account_of: Origin::Gateway,
        };
        let lines = CallLines::begin(Time(0), SessionId(1), &call, &decision);
        assert_eq!(
            (lines.direction(), lines.from.to_string(), lines.to.to_string()),
            ("outbound", "user".to_owned(), "trunk carrier".to_owned())
        );
        assert_eq!(lines.call_id, "abc@192.0.2.1");
    }
}
