//! Surroundings in which the call centre acts.

use sans_io::Time;
use session_core::Coordinator;

use crate::routing::Routing;

/// Moment, sessions and dial plan that a step of the call centre works with.
pub struct Ctx<'a> {
    /// Present moment.
    pub now: Time,
    /// Sessions and legs.
    pub coordinator: &'a mut Coordinator,
    /// Destinations of numbers.
    pub routing: &'a Routing,
}
