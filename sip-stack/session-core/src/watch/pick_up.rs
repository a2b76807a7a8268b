//! Picking a call up that rings at somebody else (RFC 3891): a watcher is told names of the dialog, which an INVITE with `Replaces`
//! shows again.
//!
//! Of the names, our tag is one made up for this: it is good while the phone rings, and no longer, so who has watched a call ring
//! cannot take it over later. A phone may give both tags in either order: from the side of the phone that rings, as the document does,
//! or from ours, as RFC 3891 has it.

use std::collections::BTreeMap;

use media_core::control::LegId;
use sans_io::Rng;
use sip_core::message::Replaces;

use super::dialog_info::Names;
use crate::coordinator::Coordinator;
use crate::leg::Leg;

/// Tags of legs that ring, for those who watch them.
#[derive(Debug, Default)]
pub(crate) struct PickUps {
    tags: BTreeMap<LegId, String>,
    legs: BTreeMap<String, LegId>,
}

impl PickUps {
    fn tag(&mut self, leg: LegId, rng: &mut Rng) -> String {
        let tag = self.tags.entry(leg).or_insert_with(|| rng.token(20));
        self.legs.insert(tag.clone(), leg);
        tag.clone()
    }

    fn leg(&self, tag: &str) -> Option<LegId> {
        self.legs.get(tag).copied()
    }

    /// Forgets legs that ring no more.
    pub(super) fn retain(&mut self, rings: impl Fn(LegId) -> bool) {
        self.tags.retain(|leg, _| rings(*leg));
        self.legs.retain(|_, leg| self.tags.contains_key(leg));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }
}

impl Coordinator {
    /// Names by which a leg that rings may be picked up: none before the phone has given its tag.
    pub(super) fn pick_up_names(&mut self, leg: LegId) -> Option<Names> {
        if !self.rings_replaceably(leg) {
            return None;
        }
        let l = self.leg(leg)?;
        let (usage, endpoint) = (l.usage()?, &self.context().endpoint);
        let call_id = endpoint.usage(usage)?.call_id.clone();
        let local_tag = endpoint.peer_tag(usage)?.to_owned();
        let (watches, cx) = self.watches_mut();
        Some(Names {
            call_id,
            local_tag,
            remote_tag: watches.pick_ups.tag(leg, &mut cx.rng),
        })
    }

    /// The leg that a watcher wants to pick up.
    pub(crate) fn picked_up(&self, dialog: &Replaces<'_>) -> Option<&Leg> {
        let orders = [(dialog.to_tag, dialog.from_tag), (dialog.from_tag, dialog.to_tag)];
        orders.into_iter().find_map(|(ours, theirs)| {
            let l = self.leg(self.watches().pick_ups.leg(ours)?)?;
            let usage = l.usage()?;
            let endpoint = &self.context().endpoint;
            let local_tag = &endpoint.usage(usage)?.local_tag;
            endpoint
                .is_dialog(usage, (dialog.call_id, local_tag, theirs))
                .then_some(l)
        })
    }
}
