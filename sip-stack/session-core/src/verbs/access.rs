//! Verbs for registrations elsewhere, limits and bans.

use std::net::IpAddr;

use sans_io::Time;
use sip_core::endpoint::RequestId;
use sip_core::message::Message;

use crate::account::Registration;
use crate::admission::Limits;
use crate::coordinator::Coordinator;
use crate::guard::Ban;
use crate::record::Fault;

impl Coordinator {
    /// Registers, and refreshes at half the granted time until [`unregister`](Self::unregister). Failures are
    /// reported and tried again after 5 s, doubling up to 5 min; 403 and 404 end it.
    pub fn register(&mut self, now: Time, registration: Registration) {
        let (accounts, cx) = self.accounts_mut();
        accounts.register(cx, now, registration);
    }

    /// Gives a registration up.
    pub fn unregister(&mut self, now: Time, account: u64) {
        let (accounts, cx) = self.accounts_mut();
        accounts.unregister(cx, now, account);
    }

    pub(crate) fn register_answered(
        &mut self,
        now: Time,
        request: RequestId,
        response: Result<&Message, Fault>,
    ) {
        let (accounts, cx) = self.accounts_mut();
        accounts.answered(cx, now, request, response);
    }

    /// Sets other limits from now on; calls stay.
    pub fn set_limits(&mut self, limits: Limits) {
        let (admission, cx) = self.admission_mut();
        admission.set_limits(cx, limits);
    }

    /// Sources that are banned.
    #[must_use]
    pub fn bans(&self, now: Time) -> Vec<Ban> {
        self.admission().bans(now)
    }

    /// Bans a source that another guard has banned.
    pub fn ban(&mut self, now: Time, ban: Ban) {
        self.admission_mut().0.ban(now, ban);
    }

    /// Ends a ban; false when there is none.
    pub fn lift_ban(&mut self, now: Time, address: IpAddr) -> bool {
        self.admission_mut().0.lift_ban(now, address)
    }

    /// True if somebody of ours is at that address: a user who got in from there lately, or a trunk.
    #[must_use]
    pub fn knows(&self, now: Time, address: IpAddr) -> bool {
        self.admission().knows(now, address) || self.context().directory.trunk_at(address).is_some()
    }
}
