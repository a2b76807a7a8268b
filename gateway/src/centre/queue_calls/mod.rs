//! Calls of queues: decisions of the engine become calls, and events of calls become inputs of the engine.
//!
//! A caller's session outlives the agents who come and go (`Coordinator::keep`). Each agent's leg is an invitation that was answered and
//! admitted. While an agent asks somebody, the agent's leg is in a session of its own.
//!
//! `state.rs` has the state, and alone can touch it. The other files, one for each thing that may become of a call, go through its
//! methods: a call [acts](QueueCalls::with), the engine takes an [input](QueueCalls::input), and both are published.

mod agent_away;
mod commands;
mod consult;
mod decisions;
mod events;
mod forwarding;
mod hand_over;
mod reconfigure;
mod recovery;
mod refer;
mod staff;
mod state;
mod transfer;

pub(super) use state::{Parts, QueueCalls};
