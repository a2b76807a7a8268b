//! Verbs for registrations elsewhere, limits and bans.

use std::net::IpAddr;

use sans_io::Time;

use crate::admission::Limits;
use crate::coordinator::Coordinator;
use crate::guard::Ban;
use crate::registration::{Registrant, Registration};

impl Coordinator {
    /// Registers, and refreshes in time until [`unregister`](Self::unregister). A later one of the same name takes its place. Failures are
    /// reported and tried again after a few seconds, doubling up to 5 min; 403 and 404 end it.
    pub fn register(&mut self, now: Time, account: u64, registration: Registration) {
        let (registrations, cx) = self.registrations_mut();
        registrations.register(cx, now, Registrant::Account(account), registration);
    }

    /// Gives a registration up.
    pub fn unregister(&mut self, now: Time, account: u64) {
        let (registrations, cx) = self.registrations_mut();
        registrations.unregister(cx, now, &Registrant::Account(account));
    }

    /// Gives all registrations of ours up, within about 2 s if their registrars answer: see [`is_registered`](Self::is_registered).
    pub fn unregister_all(&mut self, now: Time) {
        let (registrations, cx) = self.registrations_mut();
        registrations.unregister_all(cx, now);
    }

    /// True while there is a registration of ours, though it be only under way or being given up.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        !self.registrations().is_empty()
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
        self.admission().knows(now, address) || self.context().directory.is_trunk_at(address)
    }
}
