//! The INVITE of a caller that goes on to a PBX.

use super::Call;
use crate::upstream::Outward;

impl Call {
    /// INVITE of its caller, if it goes on to a PBX.
    pub(crate) fn outward(&self) -> Option<&Outward> {
        self.outward.as_ref()
    }

    pub(crate) fn outward_mut(&mut self) -> Option<&mut Outward> {
        self.outward.as_mut()
    }

    pub(crate) fn set_outward(&mut self, outward: Option<Outward>) {
        self.outward = outward;
    }

    pub(crate) fn take_outward(&mut self) -> Option<Outward> {
        self.outward.take()
    }
}
