//! Changes of trunks and settings, and of the addresses of trunks, while calls go on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sip_core::uri::Uri;

use super::Directory;
use crate::config::{Access, Adjustment, Trunk};
use crate::coordinator::{Coordinator, Output};
use crate::dial::trunk_uri;

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
        cx.config.domains = adjustment.domains;
        cx.config.grace = adjustment.grace;
        (cx.config.limits.trunks, cx.config.limits.users) = adjustment.quotas;
        self.spare_trunks();
        self.follow_trunks();
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
        let names = self.context().directory.followed();
        if self.notes_followed(!names.is_empty()) || !names.is_empty() {
            self.context_mut().output(Output::Follow { names });
        }
    }

    /// The name of a trunk now resolves to these addresses.
    pub(crate) fn located(&mut self, trunk: &str, addresses: Vec<IpAddr>) {
        if self.context_mut().directory.located(trunk, addresses) {
            self.spare_trunks();
        }
    }
}

impl Directory {
    /// Replaces the trunks. A name that is followed keeps the addresses known of it. False where there are no trunks.
    fn set_trunks(&mut self, new: BTreeMap<String, Trunk>) -> bool {
        let Access::Directory { trunks, .. } = &mut self.access else {
            return false;
        };
        let before = std::mem::replace(trunks, new);
        for (name, trunk) in trunks.iter_mut().filter(|(_, trunk)| trunk.follows_name) {
            let known = before.get(name).filter(|known| {
                known.follows_name
                    && (&known.host, known.port, known.transport)
                        == (&trunk.host, trunk.port, trunk.transport)
            });
            if let Some(known) = known {
                trunk.sources.clone_from(&known.sources);
            }
        }
        true
    }

    /// Names of trunks that are followed, and what to resolve.
    fn followed(&self) -> Vec<(String, Uri)> {
        self.trunks()
            .filter(|(_, trunk)| trunk.follows_name)
            .filter_map(|(name, trunk)| Some((name.to_owned(), trunk_uri(trunk, None).ok()?)))
            .collect()
    }

    /// Sets the addresses of a trunk whose name is followed. False if there is no such trunk.
    fn located(&mut self, name: &str, addresses: Vec<IpAddr>) -> bool {
        let Access::Directory { trunks, .. } = &mut self.access else {
            return false;
        };
        let trunk = trunks.get_mut(name).filter(|trunk| trunk.follows_name);
        let found = trunk.is_some();
        if let Some(trunk) = trunk {
            trunk.sources = addresses;
        }
        found
    }
}
