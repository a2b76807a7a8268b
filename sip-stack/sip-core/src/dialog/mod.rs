//! State that two user agents share between requests (RFC 3261 §12): tags, sequence numbers, route set,
//! remote target; and the session timer (RFC 4028). Pure state; [`crate::endpoint`] sends and receives.

mod route;
mod session_timer;
mod state;

pub use route::{RouteSet, Routed};
pub use session_timer::{Duty, SessionTimer};
pub use state::{Dialog, same_tag};
