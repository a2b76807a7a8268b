//! The whole gateway on a virtual clock: its coordinator and its media shard, phones and trunks that are made of the same,
//! browsers written by hand, and a seeded network between them that loses, repeats and reorders datagrams and cuts
//! WebSockets. One seed is one run, always the same.
//!
//! | file | what |
//! |---|---|
//! | `world` | who there is, and the loop over the next thing to happen; what is sent and what arrives |
//! | `network` | what the wire does to what is sent |
//! | `node` | a coordinator with its media: a real shard, or one that only answers |
//! | `switch` | the gateway's dial plan |
//! | `phone` | how phones and trunks behave |
//! | `agent`, `sdp` | a user agent as in a browser tab |
//! | `story` | what the people at browsers and phones do in one run |
//! | `wire` | what was sent: one final response for each INVITE, the ladder, the digest of it all |

mod agent;
mod network;
mod node;
mod phone;
pub mod sdp;
mod story;
mod switch;
mod wire;
mod world;

pub use agent::{Agent, Heard, Link, State};
pub use network::Conditions;
pub use node::{Media, Node, config as node_config};
pub use phone::{Manner, Phone, Voice};
pub use story::{Outcome, tell, tell_on};
pub use switch::{Switch, config};
pub use world::{GATEWAY, World};
