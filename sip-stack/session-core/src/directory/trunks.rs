//! Changes of trunks and settings, and of the addresses of trunks, while calls go on.

use std::collections::BTreeMap;

use sip_core::uri::Uri;

use super::Directory;
use crate::config::{Access, Adjustment, Trunk};
use crate::context::Context;
use crate::coordinator::{Coordinator, Output};
use crate::guard::Network;
use crate::trunk::Located;

impl Coordinator {
    /// Applies these trunks and settings from now on. Calls in progress go on, even those of a trunk that is
    /// removed. A client has no trunks: nothing is done.
    pub fn adjust(&mut self, adjustment: Adjustment) {
        let cx = self.context_mut();
        if !cx.directory.set_trunks(adjustment.trunks) {
            return;
        }
        cx.config.browser_codecs = adjustment.browser_codecs;
        cx.config.phone_codecs = adjustment.phone_codecs;
        cx.config.pass_through = adjustment.pass_through;
        cx.config.domains = adjustment.domains;
        cx.config.grace = adjustment.grace;
        cx.caps.set(adjustment.caps);
        (cx.config.limits.trunks, cx.config.limits.users) = adjustment.quotas;
        cx.config.stir = adjustment.stir;
        cx.config.emergency = adjustment.emergency;
        self.follow_trunks();
        self.spare_trunks();
        self.register_trunks();
        self.review_trunks_that_watch();
    }

    /// Registers at the trunks that want it, and gives up what is no longer wanted.
    pub(crate) fn register_trunks(&mut self) {
        let (registrations, cx) = self.registrations_mut();
        let secret = cx.config.secret;
        cx.directory.set_lines(&secret);
        registrations.set_trunks(cx);
    }

    /// Tells which names are to be followed.
    pub(crate) fn follow_trunks(&mut self) {
        let cx = self.context_mut();
        cx.trunks.set(cx.directory.trunks());
        cx.follow_sources();
        let names = cx.trunks.names();
        if self.notes_followed(!names.is_empty()) || !names.is_empty() {
            self.context_mut().output(Output::Follow { names });
        }
    }

    /// The name of a trunk now resolves to these addresses.
    pub(crate) fn located(&mut self, trunk: &str, name: &Uri, found: Vec<Located>) {
        let cx = self.context_mut();
        if cx.trunks.located(trunk, name, found) {
            cx.follow_sources();
            self.spare_trunks();
        }
    }
}

impl Context {
    /// Trunks whose sources follow their names take the addresses that are known of them.
    fn follow_sources(&mut self) {
        for (name, trunk) in self.directory.trunks_mut() {
            if trunk.follows_name {
                let addresses = self.trunks.addresses(name).into_iter();
                trunk.sources = addresses.map(Network::from).collect();
            }
        }
    }
}

impl Directory {
    /// Replaces the trunks. False where there are no trunks.
    fn set_trunks(&mut self, new: BTreeMap<String, Trunk>) -> bool {
        let Access::Directory { trunks, .. } = &mut self.access else {
            return false;
        };
        *trunks = new;
        true
    }

    fn trunks_mut(&mut self) -> impl Iterator<Item = (&String, &mut Trunk)> {
        let trunks = match &mut self.access {
            Access::Directory { trunks, .. } => Some(trunks),
            Access::Anyone(_) => None,
        };
        trunks.into_iter().flatten()
    }
}
