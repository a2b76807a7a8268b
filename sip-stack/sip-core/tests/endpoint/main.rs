//! The endpoint as its peers see it, on a virtual clock.

mod bench;
mod bodies;
mod called;
mod calling;
mod changes;
mod chaos;
mod corpora;
mod in_dialog;
mod net;
mod refer;
mod refusing;
mod reliable;
mod simulation;
mod slow;
mod strangers;
mod subscriptions;
