//! Dialling between a PBX and its clients: see [`upstream`](crate::upstream).

use std::time::Duration;

use sans_io::Time;
use sip_core::message::StatusCode;

use super::branch::{Branch, Line, Ring, user_text};
use super::{Dial, Dialling, OnFailure, Party};
use crate::call::Call;
use crate::context::Context;
use crate::coordinator::Timer;
use crate::upstream::Outward;

impl Branch {
    /// The PBX, for the call of a client of its.
    ///
    /// # Errors
    /// The SIP code that says why it cannot be called: 404 without a PBX, or for an address that is none.
    fn of_pbx(cx: &mut Context, outward: &Outward) -> Result<Branch, StatusCode> {
        let name = cx.upstream.trunk().map(str::to_owned);
        let (name, verbatim) = name.zip(outward.verbatim(cx)).ok_or(StatusCode::NOT_FOUND)?;
        let target = cx.to_pbx(outward.aor().as_str()).ok_or(StatusCode::NOT_FOUND)?;
        let timeout = cx.directory.trunk(&name).and_then(|trunk| trunk.timeout);
        let party = Party::Trunk {
            number: user_text(&verbatim.request_uri),
            name,
        };
        let found = Branch::for_message(cx, &party).map_err(|refusal| refusal.code)?;
        let trunk = found.into_iter().next().ok_or(StatusCode::NOT_FOUND)?;
        Ok(Branch {
            target,
            timeout,
            // The client's words are for this PBX, so there is no other way.
            route: None,
            uri: verbatim.request_uri.clone(),
            credentials: None,
            line: Line {
                verbatim: Some(Box::new(verbatim)),
                ..Line::default()
            },
            ..trunk
        })
    }
}

impl Call {
    /// Calls the PBX as the caller wrote.
    pub(crate) fn dial_pbx(&mut self, cx: &mut Context, now: Time, ring_timeout: Duration) {
        if self.is_ending() || self.callee().is_some() || self.dialling().is_some() {
            return;
        }
        let caller = self.from().clone();
        let mut dialling = Dialling::new(OnFailure::Reject, ring_timeout, caller.clone());
        let outward = self.outward().ok_or(StatusCode::NOT_FOUND);
        match outward.and_then(|outward| Branch::of_pbx(cx, outward)) {
            Ok(branch) => {
                self.set_dialling(Some(dialling));
                let leg = self.start_branch(cx, now, branch, &caller, Ring::within(ring_timeout));
                if let Some(outward) = self.outward_mut() {
                    outward.set_leg(leg);
                }
            }
            Err(code) => {
                dialling.note(code);
                self.set_dialling(Some(dialling));
                self.dial_settled(cx, now);
            }
        }
    }

    /// Calls a client of the PBX, or waits for one that is away.
    pub(crate) fn dial_client(&mut self, cx: &mut Context, now: Time, user: &str, ring_timeout: Duration) {
        let awaited = match cx.directory.is_reachable(user) {
            true => None,
            false => cx.awaited_until(now, user),
        };
        let Some(until) = awaited else {
            let party = Party::User(user.to_owned());
            return self.dial(
                cx,
                now,
                Dial::together(vec![party], ring_timeout, OnFailure::Reject),
            );
        };
        if self.is_ending() || self.callee().is_some() || self.dialling().is_some() {
            return;
        }
        let mut dialling = Dialling::new(OnFailure::Reject, ring_timeout, self.from().clone());
        dialling.add_absent(user);
        self.set_dialling(Some(dialling));
        cx.timers
            .set(Timer::Absent(self.id()), until, "grace of one who is called");
    }
}
