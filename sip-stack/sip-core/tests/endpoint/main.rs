//! The endpoint as its peers see it, on a virtual clock.

mod net;
mod simulation;
