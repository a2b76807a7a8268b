//! Whole shards with real peers: what one end says must be heard at the other.

mod peer;
mod world;

mod allocation;
mod announcements;
mod applications;
mod bridges;
mod chance;
mod digits;
mod endurance;
mod faxes;
mod injections;
mod lanes;
mod mixes;
mod opus;
mod pass_through;
mod reports;
mod secure;
mod silence;
mod speech;
mod strangers;
mod streams;
mod taps;
mod wideband;
