//! Changes of trunks and settings, and of the addresses of trunks, while calls go on.

use std::net::IpAddr;

use sip_core::uri::Uri;

use crate::config::{Access, Adjustment};
use crate::coordinator::{Coordinator, Output, guard_of};
use crate::verb::dial::trunk_uri;

impl Coordinator {
    /// Applies these trunks and settings from now on. Calls in progress go on, even those of a trunk that is
    /// removed. A client has no trunks: nothing is done.
    pub fn adjust(&mut self, adjustment: Adjustment) {
        let Access::Directory { trunks, .. } = &mut self.config.access else {
            return;
        };
        let before = std::mem::replace(trunks, adjustment.trunks);
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
        self.config.browser_codecs = adjustment.browser_codecs;
        self.config.phone_codecs = adjustment.phone_codecs;
        self.config.domains = adjustment.domains;
        self.config.grace = adjustment.grace;
        (self.config.limits.trunks, self.config.limits.users) = adjustment.quotas;
        self.spare_trunks();
        self.follow_trunks();
    }

    /// Tells which names are to be followed.
    pub(crate) fn follow_trunks(&mut self) {
        let Access::Directory { trunks, .. } = &self.config.access else {
            return;
        };
        let names: Vec<(String, Uri)> = trunks
            .iter()
            .filter(|(_, trunk)| trunk.follows_name)
            .filter_map(|(name, trunk)| Some((name.clone(), trunk_uri(trunk, None).ok()?)))
            .collect();
        if !names.is_empty() || self.follows {
            self.follows = !names.is_empty();
            self.out.push_back(Output::Follow { names });
        }
    }

    /// The name of a trunk now resolves to these addresses.
    pub(crate) fn located(&mut self, trunk: &str, addresses: Vec<IpAddr>) {
        if let Access::Directory { trunks, .. } = &mut self.config.access
            && let Some(trunk) = trunks.get_mut(trunk).filter(|trunk| trunk.follows_name)
        {
            trunk.sources = addresses;
            self.spare_trunks();
        }
    }

    /// The guard bans no address that a trunk has now.
    fn spare_trunks(&mut self) {
        self.guard.spare(guard_of(&self.config).spare);
    }
}
